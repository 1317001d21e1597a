"""Lambda function `webhook`."""
