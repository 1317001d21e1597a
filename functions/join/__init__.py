"""Lambda function `join`."""
