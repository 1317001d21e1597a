"""Lambda function `survey`."""
