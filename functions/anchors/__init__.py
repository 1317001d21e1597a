"""Lambda function `anchors`."""
