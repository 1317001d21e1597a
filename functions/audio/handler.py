"""Makes the sound of the whole video, beside all batches."""

from functions.task import task_handler

handler = task_handler("audio")
