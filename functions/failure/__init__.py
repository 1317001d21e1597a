"""Lambda function `failure`."""
