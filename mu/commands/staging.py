"""Files of this machine for commands that run elsewhere: there and back through a store."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mu.commands.command import Command
from mu.commands.task import CommandDone, Work, perform
from mu.errors import CommandError
from mu.store.files import deliver, fetch, name_of
from mu.store.protocol import at_once
from mu.store.url import ObjectUrl, is_object_url

Finish = Callable[[CommandDone, float], CommandDone]
"""Is given what became of an item and what it has cost; returns what the caller gets."""


@dataclass(frozen=True, slots=True)
class Staging:
    """Where files of this machine lie in a bucket while commands use them.

    Attributes:
        bucket: its name.
        prefix: of all keys, without a slash at its end.
    """

    bucket: str
    prefix: str

    def command(self, command: Command) -> Command:
        """The command with its files in the bucket, each once.

        Raises:
            CommandError: there is no such file.
            StoreError: it cannot be stored.
        """
        return command.with_files([self._stored(file) for file in command.files])

    def works(self, works: Sequence[Work]) -> list[Work]:
        """The work with all files in buckets, where they already are.

        Raises:
            CommandError: there is no such input.
            StoreError: it cannot be stored.
        """
        local = {place for work in works for place in work.inputs.values() if _is_local(place)}
        stored = dict(zip(local, at_once(self._stored, local), strict=True))
        return [
            Work(
                {name: stored.get(place, place) for name, place in work.inputs.items()},
                {
                    name: self._url(f"out/{number}/{name}") if _is_local(place) else place
                    for name, place in work.outputs.items()
                },
            )
            for number, work in enumerate(works)
        ]

    @staticmethod
    def brought_back(done: CommandDone, outputs: Mapping[str, str]) -> CommandDone:
        """What became of an item, with its files where they are wanted.

        Args:
            done: as the worker tells it.
            outputs: where its files are wanted.

        Raises:
            StoreError: a file cannot be read.
            OSError: it cannot be written.
        """
        for name, place in outputs.items():
            if done.files[name] == place:
                continue
            with tempfile.TemporaryDirectory(prefix="mu-") as folder:
                file = Path(folder) / "file"
                fetch(done.files[name], file)
                deliver(file, place)
        return replace(done, files=dict(outputs))

    def _url(self, key: str) -> str:
        return str(ObjectUrl(self.bucket, f"{self.prefix}/{key}"))

    def _stored(self, place: str) -> str:
        """Where a file of this machine lies in the bucket; its name is kept."""
        path = Path(place)
        if not path.is_file():
            raise CommandError(f"{place}: there is no such file")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        url = self._url(f"files/{digest}/{name_of(place)}")
        with tempfile.TemporaryDirectory(prefix="mu-") as folder:
            # A store takes files away, but only the name that it is given.
            name = Path(folder) / "file"
            name.symlink_to(path.absolute())
            deliver(name, url)
        return url


def performing(
    command: Command, works: Sequence[Work], staging: Staging | None
) -> tuple[Callable[[Work], CommandDone], Sequence[Work], Iterator[Finish]]:
    """What workers call for each work of a command.

    Args:
        command: it.
        works: one for each time that it runs.
        staging: through what files of this machine reach workers; None if those are on it, too.

    Returns:
        The function, what it is called with each time, and what is done here with each result.

    Raises:
        CommandError: a file is not there.
        StoreError: it cannot be stored.
    """
    if staging is None:
        function = partial(perform, command.with_absolute_files())
        return function, works, itertools.repeat(_with_dollars)

    def finish(wanted: Mapping[str, str], done: CommandDone, dollars: float) -> CommandDone:
        return _with_dollars(staging.brought_back(done, wanted), dollars)

    function = partial(perform, staging.command(command))
    finishes = (partial(finish, work.outputs) for work in works)
    return function, staging.works(works), finishes


def _with_dollars(done: CommandDone, dollars: float) -> CommandDone:
    return replace(done, dollars=dollars)


def _is_local(place: str) -> bool:
    return not is_object_url(place)
