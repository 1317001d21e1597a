"""What a stack has learned, in its store: the function that ends jobs writes it, others read it.

There is a model for each architecture, as ``model/arm64.json``: a second of another processor is
another second. It lies apart from what expires.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from excamera.job.options import EncodeOptions
from excamera.job.results import JobResult, Outcome, Prediction
from excamera.lifecycle import shared
from excamera.lifecycle.ending import Ended, parsed
from excamera.price.film import Film
from excamera.price.learned import Lesson, Model, ModelUnusable, lesson_of
from excamera.price.workers import Workers
from mu import NoSuchKey, Store


def read(store: Store, architecture: str) -> Model:
    """What was learned of an architecture; nothing if there is no record.

    Raises:
        ModelUnusable: the record is broken, or of a newer version.
    """
    try:
        found = store.get(_key(architecture))
    except NoSuchKey:
        return Model()
    try:
        return Model.from_json(json.loads(found))
    except ModelUnusable:
        raise
    except ValueError as error:
        raise ModelUnusable(f"it is no JSON: {error}") from error


def learn(lesson: Lesson, store: Store, architecture: str) -> None:
    """Add what a job tells; nothing is lost if two jobs end at the same moment.

    Raises:
        ModelUnusable: the record is broken, or of a newer version, and stays as it is.
    """

    def add(record: shared.Fields) -> None:
        model = Model() if record == {} else Model.from_json(record)
        after = model.with_lesson(lesson)
        if after is not model:
            record.clear()
            record |= after.to_json()

    try:
        shared.change(_key(architecture), store, add)
    except ModelUnusable:
        raise
    except ValueError as error:
        raise ModelUnusable(f"it is no JSON: {error}") from error


def forget(store: Store, architecture: str) -> None:
    """Forget what was learned."""
    store.delete(_key(architecture))


def lesson_of_end(ended: Ended, detail: Mapping[str, Any], workers: Workers) -> Lesson | None:
    """What a job tells that has ended; None if it tells nothing.

    A job that was redriven tells nothing: its calls before and after were of other attempts.

    Args:
        ended: the job.
        detail: of the event from which that was made.
        workers: of the stack.
    """
    planned = ended.planned
    if planned is None or not planned.options:  # a version without predictions planned it
        return None
    if detail["status"] != "SUCCEEDED" or detail.get("redriveCount"):
        return None
    options = EncodeOptions.from_json(planned.options)
    if options.ladder:  # what its calls took is of several sizes
        return None
    return lesson_of(
        ended.notice["job"],
        ended.attempts,
        Film(
            planned.frames,
            planned.width,
            planned.height,
            planned.duration_s,
            planned.sound,
            planned.bits,
        ),
        options,
        replace(workers, memory_mb=planned.memory(workers.memory_mb)),
        chunks=planned.chunks,
        made=JobResult.from_json(parsed(detail.get("output"))),
        took=Outcome(**ended.notice["actual"]),
        predicted=None if planned.predicted is None else Prediction.from_json(planned.predicted),
    )


def _key(architecture: str) -> str:
    return f"model/{architecture}.json"
