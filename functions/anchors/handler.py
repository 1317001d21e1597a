"""Codes the frames of one batch that its chunks refer to."""

from functions.task import task_handler

handler = task_handler("anchors")
