"""The log lines of a job, as the API tells them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field


class LogLine(BaseModel):
    """A line; `step` and the numbers say which task wrote it, if one did."""

    time: Annotated[float, Field(description="Unix seconds of its writing.")]
    level: str
    message: str
    step: str | None = None
    span: int | None = None
    batch: int | None = None
    share: int | None = None
    exception: Annotated[str | None, Field(description="The traceback of an error.")] = None


class JobLog(BaseModel):
    """Lines in order of time; of a job of which a task failed, that task's."""

    lines: list[LogLine]
    cut: Annotated[bool, Field(description="Whether there are more than these.")] = False
