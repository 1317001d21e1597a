"""Encodes a sample of a film, for a job with a target."""

from functions.task import task_handler

handler = task_handler("probe")
