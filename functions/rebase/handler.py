"""Step 3: join the chunks of one batch."""

from excamera.steps.rebase import rebase
from functions.task import task_handler

handler = task_handler("rebase", rebase)
