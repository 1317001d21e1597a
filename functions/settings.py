"""The settings that the stack gives its functions; each handler declares the ones it needs.

A setting is a field of a subclass of `Settings`; its environment variable is the same name in
capital letters. There are no defaults: if a variable is missing, the function does not start, and
its log names the variable.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self, get_origin, get_type_hints


class SettingsMissing(Exception):
    """The environment lacks variables that the function needs.

    Attributes:
        variables: their names.
    """

    def __init__(self, settings: type[Settings], variables: list[str]) -> None:
        super().__init__(f"{settings.__name__}: the environment lacks {', '.join(variables)}")
        self.variables = variables


class SettingMalformed(ValueError):
    """A variable does not hold what its setting takes; the message names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one function: text, whole numbers, and lists and objects as JSON."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The settings that an environment holds.

        Raises:
            SettingsMissing: it lacks variables.
            SettingMalformed: a variable does not hold what its setting takes.
        """
        names = {field.name: field.name.upper() for field in fields(cls)}
        missing = [variable for variable in names.values() if variable not in environment]
        if missing:
            raise SettingsMissing(cls, missing)
        types = get_type_hints(cls)
        return cls(
            **{
                name: _parsed(types[name], variable, environment[variable])
                for name, variable in names.items()
            }
        )


@dataclass(frozen=True, slots=True)
class StoreSettings(Settings):
    """The settings of a function that needs only the jobs' store.

    Attributes:
        work_bucket: name of the bucket with the jobs' objects.
    """

    work_bucket: str


@dataclass(frozen=True, slots=True)
class TurnSettings(StoreSettings):
    """The settings of a function that returns workers of a job's turn.

    Attributes:
        stack: name of the stack.
    """

    stack: str


def _parsed(kind: Any, variable: str, text: str) -> Any:
    if kind is str:
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if type(value) is not (get_origin(kind) or kind):
        raise SettingMalformed(f"{variable} holds {text!r}, which is no {kind}")
    return value
