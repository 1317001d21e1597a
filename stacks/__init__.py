"""ExCamera on AWS as a CDK app."""
