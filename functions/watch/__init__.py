"""Lambda function `watch`."""
