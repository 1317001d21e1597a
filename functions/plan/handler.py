"""Cuts the frames into batches and writes the plan of the job."""

from functions.task import task_handler

handler = task_handler("plan")
