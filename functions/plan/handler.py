"""Step 1: look at the uploaded video, write the plan of its job."""

from excamera.steps.plan import plan
from functions.task import task_handler

handler = task_handler("plan", plan)
