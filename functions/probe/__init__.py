"""Lambda function `probe`."""
