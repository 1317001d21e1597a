"""What the stack tells its functions, as a typed value."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of a function; each has those that it needs.

    Attributes:
        work_bucket: name of the bucket with the jobs' objects.
        output_bucket: name of the bucket for results.
        state_machine: ARN of the state machine that runs jobs.
        prefix: with which keys of uploads that start jobs begin.
        options: the stack's default options, as `excamera.options.EncodeOptions` takes them.
    """

    work_bucket: str
    output_bucket: str
    state_machine: str
    prefix: str
    options: dict[str, Any]

    @classmethod
    def from_environment(cls) -> Settings:
        """The settings of this environment."""
        return cls(
            work_bucket=os.environ.get("WORK_BUCKET", ""),
            output_bucket=os.environ.get("OUTPUT_BUCKET", ""),
            state_machine=os.environ.get("STATE_MACHINE_ARN", ""),
            prefix=os.environ.get("PREFIX", ""),
            options=json.loads(os.environ.get("DEFAULT_OPTIONS", "{}")),
        )
