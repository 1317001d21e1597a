"""Lambda function `rebase`."""
