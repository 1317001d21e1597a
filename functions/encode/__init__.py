"""Lambda function `encode`."""
