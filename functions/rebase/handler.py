"""Step 3: join the chunks of one batch."""

from functions.task import task_handler

handler = task_handler("rebase")
