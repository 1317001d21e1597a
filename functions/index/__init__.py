"""Lambda function `index`."""
