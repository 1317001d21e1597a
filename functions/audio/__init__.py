"""Lambda function `audio`."""
