"""Lambda function `plan`."""
