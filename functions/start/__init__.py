"""Lambda function `start`."""
