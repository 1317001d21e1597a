"""What the stack has learned from its jobs, as functions read it."""

from __future__ import annotations

from aws_lambda_powertools import Logger

from excamera.lifecycle import learning
from excamera.price.learned import Model, ModelUnusable
from mu import Store, StoreError

logger = Logger()


def model_of(store: Store, architecture: str) -> Model:
    """What was learned; nothing, with a warning, if it cannot be read: no job fails for that.

    Args:
        store: the jobs'.
        architecture: of the functions.
    """
    try:
        return learning.read(store, architecture)
    except (ModelUnusable, StoreError) as error:
        logger.warning(
            "the model is ignored (`excamera model --reset` removes it)",
            problem=f"{type(error).__name__}: {error}",
        )
        return Model()
