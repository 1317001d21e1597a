"""The steps of the pipeline as task functions: ``step(event, context) -> result``.

A step reads and writes the store under the job's `Keys`; events carry only the job's name
and numbers. Every step can run again: it finds its own result and skips, or writes equal
bytes.
"""

from excamera.steps.anchors import anchors
from excamera.steps.audio import audio
from excamera.steps.encode import encode
from excamera.steps.index import index
from excamera.steps.join import join
from excamera.steps.plan import plan
from excamera.steps.stitch import stitch
from excamera.steps.survey import survey

__all__ = ["anchors", "audio", "encode", "index", "join", "plan", "stitch", "survey"]
