"""Step 4: join the batches into the result, in the output bucket."""

from excamera.steps.stitch import stitch
from functions.task import task_handler

handler = task_handler("stitch", stitch)
