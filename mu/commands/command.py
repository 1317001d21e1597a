"""A program as a task, as plain data: its arguments, and which of them are files in and out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mu.errors import CommandError
from mu.store.url import is_object_url

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Input:
    """Stands for the path of a file that the program reads.

    Attributes:
        name: which of the item's files.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Output:
    """Stands for the path of a file that the program must write.

    Attributes:
        name: which of the results; also the file's name, for programs that go by its ending.
    """

    name: str


Argument = str | Input | Output


@dataclass(frozen=True, slots=True, init=False)
class Command:
    """A program with its arguments. It runs as it is, without a shell, in an empty folder.

    Attributes:
        argv: the program and its arguments. A program without a slash is looked for among
            `files`, then where the system keeps programs.
        files: paths or ``s3://`` URLs of files that travel with it and lie in a folder of the
            search path: the program itself, its libraries, its data.
        env: environment variables besides those that workers have.
        stdout: the output that holds what it prints; None if that belongs to its log.
    """

    argv: tuple[Argument, ...]
    files: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    stdout: Output | None = None

    def __init__(
        self,
        argv: Sequence[Argument],
        *,
        files: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        stdout: Output | None = None,
    ) -> None:
        """Describes a command.

        Raises:
            CommandError: it cannot be run as described.
        """
        if isinstance(argv, str | bytes) or not argv:
            raise CommandError(f"a command is a list of arguments that is not empty, not {argv!r}")
        if not isinstance(argv[0], str):
            raise CommandError("a command begins with the program, not with a file in or out")
        for argument in (*argv, *([] if stdout is None else [stdout])):
            if isinstance(argument, str):
                if "\0" in argument:
                    raise CommandError(f"{argument!r} is no argument: it has a zero byte")
            elif not _NAME.fullmatch(argument.name):
                raise CommandError(
                    f"{argument.name!r} is not a name: up to 100 letters, digits, '_', '.' and '-'"
                )
        object.__setattr__(self, "argv", tuple(argv))
        object.__setattr__(self, "files", tuple(files))
        object.__setattr__(self, "env", dict(env or {}))
        object.__setattr__(self, "stdout", stdout)
        names = [name.rpartition("/")[2] for name in self.files]
        if len(set(names)) != len(names):
            raise CommandError(f"two of the files have the same name: {', '.join(sorted(names))}")

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the files in, each once."""
        return tuple(dict.fromkeys(one.name for one in self.argv if isinstance(one, Input)))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the files out, each once."""
        arguments = self.argv if self.stdout is None else (*self.argv, self.stdout)
        return tuple(dict.fromkeys(one.name for one in arguments if isinstance(one, Output)))

    def with_absolute_files(self) -> Command:
        """The same command wherever the process that runs it stands."""
        files = [f if is_object_url(f) else str(Path(f).absolute()) for f in self.files]
        return self.with_files(files)

    def with_files(self, files: Sequence[str]) -> Command:
        """The same command with its files elsewhere."""
        return Command(self.argv, files=files, env=self.env, stdout=self.stdout)

    def to_json(self) -> dict[str, Any]:
        """The command as a JSON object."""
        marks = {Input: "input", Output: "output"}
        argv = [one if isinstance(one, str) else {marks[type(one)]: one.name} for one in self.argv]
        stdout = None if self.stdout is None else self.stdout.name
        return {"argv": argv, "files": list(self.files), "env": dict(self.env), "stdout": stdout}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Command:
        """The command that `to_json` returned."""

        def argument(one: Any) -> Argument:
            if isinstance(one, str):
                return one
            ((mark, name),) = one.items()
            return Input(name) if mark == "input" else Output(name)

        return cls(
            [argument(one) for one in data["argv"]],
            files=data["files"],
            env=data["env"],
            stdout=None if data["stdout"] is None else Output(data["stdout"]),
        )
