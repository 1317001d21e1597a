"""FFmpeg's notation of filter graphs: chains of filters, links between them, quotes and escapes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from excamera.errors import OptionError

_SPACE = " \n\t\r"
_INPUT, _OUTPUT = "in", "out"


@dataclass(frozen=True, slots=True)
class Written:
    """A filter as a graph names it.

    Attributes:
        name: FFmpeg's.
        options: all of them as one text, as FFmpeg's filters take it.
        inputs: labels of its first inputs.
        outputs: labels of its first outputs.
        follows: whether the outputs of the filter before that have no label come next.
    """

    name: str
    options: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    follows: bool

    def given(self) -> tuple[list[str], dict[str, str]]:
        """The values of options without a name, in order; and of those with one."""
        without: list[str] = []
        named: dict[str, str] = {}
        if not self.options:
            return without, named
        text = _Text(self.options)
        while True:
            part = text.token(":", "=")
            if text.skip("="):
                named[part.strip()] = text.token(":")
            else:
                without.append(part)
            if not text.skip(":"):
                return without, named


def parse(graph: str) -> list[Written]:
    """The filters of a graph, in the order in which they are written.

    Raises:
        OptionError: it is not FFmpeg's notation.
    """
    text = _Text(graph)
    found: list[Written] = []
    follows = False
    while True:
        inputs = tuple(text.labels())
        name = text.token(",;[", "=").strip().partition("@")[0]
        if not name:
            raise OptionError(f"vf: a filter is missing behind {text.before!r}")
        options = text.token(",;[") if text.skip("=") else ""
        found.append(Written(name, options.strip(_SPACE), inputs, tuple(text.labels()), follows))
        if text.is_at_end():
            return found
        if text.skip(","):
            follows = True
        elif text.skip(";"):
            follows = False
            if text.is_at_end():
                return found
        else:
            raise OptionError(f"vf: a comma or a semicolon is missing behind {text.before!r}")


class _Text:
    """A text that is read from its start to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    @property
    def before(self) -> str:
        """What has been read."""
        return self._text[: self._at]

    def is_at_end(self) -> bool:
        """Whether only spaces are left."""
        return not self._text[self._at :].strip(_SPACE)

    def skip(self, sign: str) -> bool:
        """Pass over spaces and a sign; whether it was there."""
        rest = self._text[self._at :]
        found = rest.lstrip(_SPACE)
        if not found.startswith(sign):
            return False
        self._at += len(rest) - len(found) + len(sign)
        return True

    def labels(self) -> Iterator[str]:
        """Labels of links, each in brackets."""
        while self.skip("["):
            end = self._text.find("]", self._at)
            if end < 0:
                raise OptionError(f"vf: a bracket is not closed behind {self.before!r}")
            yield self._text[self._at : end].strip()
            self._at = end + 1

    def token(self, *ends: str) -> str:
        """What comes before one of these signs, without its quotes and escapes."""
        stops = "".join(ends)
        found: list[str] = []
        while self._at < len(self._text) and self._text[self._at] not in stops:
            sign = self._text[self._at]
            self._at += 1
            if sign == "\\" and self._at < len(self._text):
                found.append(self._text[self._at])
                self._at += 1
            elif sign == "'":
                end = self._text.find("'", self._at)
                end = len(self._text) if end < 0 else end
                found.append(self._text[self._at : end])
                self._at = end + 1
            else:
                found.append(sign)
        return "".join(found)
