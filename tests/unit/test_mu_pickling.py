"""Functions reach workers that lack the modules in which they are defined."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.shared import ROOT

HERE = {
    "project/__init__.py": "",
    "project/units.py": """
from dataclasses import dataclass
from enum import Enum
from functools import cache, lru_cache
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")
SCALE = np.arange(4.0)

class Unit(Enum):
    MM = 1
    CM = 10

class Odd(ValueError):
    pass

@dataclass(frozen=True)
class Box(Generic[T]):
    content: T
    def doubled(self):
        return Box(self.content * 2)

@lru_cache(maxsize=7, typed=True)
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
""",
    "project/work.py": """
import json
from project import units
from project.units import SCALE, Box, Unit, fibonacci

def work(box, unit):
    if unit is Unit.CM:
        raise units.Odd("only millimetres")
    total = box.doubled().content * unit.value + SCALE.sum()
    return json.dumps([total, fibonacci(50), fibonacci.cache_parameters()["maxsize"]])
""",
    "pack.py": """
import sys
from mu.packing import joined, pack
from project.units import Box, Unit
from project.work import work

there = None if sys.argv[1] == "all" else sys.argv[1].split(",")
sys.stdout.buffer.write(joined(pack((work, Box(3), Unit.MM, Unit.CM), there)))
""",
}

UNPACK = """
import sys
from mu.packing import unpack

work, box, mm, cm = unpack(sys.stdin.buffer.read())
print(work(box, mm))
try:
    work(box, cm)
except ValueError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a project that is not installed."""
    for name, text in HERE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def run(code: list[str], given: bytes = b"", folder: Path = ROOT) -> tuple[bytes, str]:
    """What a program prints: its results, and its errors."""
    done = subprocess.run(
        [sys.executable, *code], cwd=folder, input=given, capture_output=True, check=False,
        timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.stdout, done.stderr.decode()


def test_a_projects_modules_travel_by_value(project: Path) -> None:
    """If this fails, functions of a project run on its own machine only."""
    packed, _ = run(["pack.py", "numpy"], folder=project)
    printed, errors = run(["-c", UNPACK], packed)
    assert printed.decode().splitlines() == ["[12.0, 12586269025, 7]", "Odd only millimetres"]
    assert errors == ""


def test_modules_that_are_there_travel_by_name(project: Path) -> None:
    """If this fails, installed packages are copied into every call."""
    by_value, _ = run(["pack.py", ""], folder=project)
    for there in ("all", "project,numpy"):
        packed, _ = run(["pack.py", there], folder=project)
        assert len(packed) < len(by_value) / 5
        assert "No module named 'project'" in run(["-c", UNPACK], packed)[1]
        assert run(["-c", UNPACK], packed, folder=project)[0].startswith(b"[12.0, ")
    assert b"numpy/" not in by_value


def test_functions_that_cache_travel_from_scripts(tmp_path: Path) -> None:
    """If this fails, a script cannot use `functools.cache` in what it runs elsewhere."""
    script = tmp_path / "script.py"
    script.write_text("""
import functools, mu

@functools.cache
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

def work(n):
    return fibonacci(n), fibonacci.cache_info().misses

with mu.Executor(workers=1) as ex:
    print(ex.submit(work, 60).result(), ex.submit(fibonacci, 10).result())
""")
    assert run([str(script)], folder=tmp_path) == (b"(1548008755920, 61) 55\n", "")
