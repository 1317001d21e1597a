"""For long films: looks for scenes in one span, reading its frames by byte ranges."""

from functions.task import task_handler

handler = task_handler("survey")
