"""The sound of the whole video, beside all batches."""

from excamera.steps.audio import audio
from functions.task import task_handler

handler = task_handler("audio", audio)
