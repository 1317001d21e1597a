"""Encodes a share of a batch, reading its frames from S3 by byte ranges."""

from functions.task import task_handler

handler = task_handler("encode")
