"""Lambda function `ended`."""
