"""The layers, their contents, and what their digests cover."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from layers import native, wheels
from layers.repository import Files, codec_modules, native_files, pinned
from layers.target import Target


def _no_files() -> Files:
    return {}


@dataclass(frozen=True, slots=True)
class Layer:
    """A kind of layer; `str()` returns its name.

    Attributes:
        name: short, for file names.
        packages: packages whose pinned versions decide its content.
        make: writes its files for a target into a directory.
        sources: returns the project's files that go into it.
        work: returns what making it for a target is, for those who wait.
    """

    name: str
    packages: tuple[str, ...]
    make: Callable[[Target, Path], None] = field(repr=False)
    sources: Callable[[], Files] = field(default=_no_files, repr=False)
    work: Callable[[Target], str] = field(default=lambda _: "making it", repr=False)

    def __str__(self) -> str:
        return self.name


def _of_wheels(name: str, *packages: str) -> Layer:
    return Layer(
        name,
        packages,
        partial(wheels.make_from_wheels, packages),
        work=lambda _: "getting " + ", ".join(f"{one} {pinned(one)}" for one in packages),
    )


CODEC = Layer(
    "codec",
    native.TOOLS,
    native.make_codec,
    lambda: codec_modules() | native_files(),
    work=native.work,
)
"""The package `codec` with its native library."""

MEDIA = _of_wheels("media", "av", "numpy")
"""PyAV with FFmpeg's libraries, and numpy."""

POWERTOOLS = _of_wheels(
    "powertools",
    "aws-lambda-powertools",
    "aws-xray-sdk",
    "jmespath",
    "typing_extensions",
    "wrapt",
)
"""Powertools for AWS Lambda with its tracer; botocore is in Lambda's runtime."""

API = _of_wheels(
    "api",
    "pydantic",
    "pydantic_core",
    "annotated-types",
    "typing-inspection",
)
"""Pydantic, which the REST API's models are made of."""

SIGNING = _of_wheels("signing", "cryptography", "cffi")
"""What signs URLs of CloudFront; without the compiler of cffi's declarations."""

EXECUTOR = _of_wheels("executor", "cloudpickle", "redis")
"""What brings users' functions and the messages of gangs to workers; it has no native code."""

ALL = (CODEC, MEDIA, POWERTOOLS, API, SIGNING, EXECUTOR)
