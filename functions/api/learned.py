"""What the stack has learned from its jobs, as the API tells it."""

from __future__ import annotations

from dataclasses import asdict

from excamera.api.answers import LearnedModel, LearnedPart
from excamera.lifecycle import learning
from excamera.price.learned import PARTS, Model, ModelUnusable
from functions.api.settings import ApiSettings
from mu import Store


def learned(store: Store, settings: ApiSettings) -> LearnedModel:
    """What was learned; of a record that cannot be used, why."""
    problem = None
    try:
        model = learning.read(store, settings.architecture)
    except ModelUnusable as error:
        model, problem = Model(), str(error)
    pace = asdict(model.pace)
    return LearnedModel(
        architecture=settings.architecture,
        memory_mb=settings.memory_mb,
        encode_sizes=settings.encode_sizes,
        jobs=model.jobs,
        parts={
            name: LearnedPart(
                factor=model.factor(name),
                constants={constant: pace[constant] for constant in PARTS[name].constants},
                jobs=told.jobs,
                work=told.work,
                unit=PARTS[name].unit,
            )
            for name, told in model.told.items()
        },
        pace=pace,
        errors=model.errors(),
        problem=problem,
    )


def forget(store: Store, settings: ApiSettings) -> LearnedModel:
    """Forget it; returns what is left: our own constants."""
    learning.forget(store, settings.architecture)
    return learned(store, settings)
