"""Lambda function `stitch`."""
