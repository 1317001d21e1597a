"""The Lambda functions: a folder each, with a thin handler over `excamera`."""

import gc
import os

# What modules make while they are imported stays: looking through it for garbage again and again
# takes a twelfth of the time in which a function begins. `begun` ends this.
if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    gc.disable()


def begun() -> None:
    """Look for garbage from now on, but not among what the imports have made.

    The last line of each handler's module; `functions.task` calls it for the steps.
    """
    gc.freeze()
    gc.enable()
