"""Joins the batches into the result, in the output bucket."""

from functions.task import task_handler

handler = task_handler("stitch")
