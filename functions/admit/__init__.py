"""Lambda function `admit`."""
