"""What runs a flow: processes of this machine, or Lambda functions."""
