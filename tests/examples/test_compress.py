"""What the compressing example delivers can be decompressed, by other means than it has used."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.compress import PROGRAMS, SCRIPT
from tests.support.examples import lines_of, refusal, run_example
from tests.support.shared import ROOT


def _by_zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-qdc"], input=data, capture_output=True, check=True).stdout


DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "xz": lzma.decompress,
    "bzip2": bz2.decompress,
    "zstd": _by_zstd,
}


@pytest.fixture
def texts(tmp_path: Path) -> dict[str, bytes]:
    """Real texts, a file without bytes, and one with a name that shells dislike, by name."""
    found = {path.name: path.read_bytes() for path in sorted((ROOT / "docs").glob("*.md"))}
    found |= {"empty.md": b"", "-n $(x) 'y'.md": b"one\n" * 1000}
    for name, data in found.items():
        (tmp_path / name).write_bytes(data)
    return found


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_results_decompress_to_the_same_bytes(
    program: str, texts: dict[str, bytes], tmp_path: Path
) -> None:
    """If this fails, files come back changed, or under another's name."""
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program} on this machine")
    done = run_example(
        "compress", "*.md", "--into", "out/{name}.z", "--with", program, inside=tmp_path
    )
    lines = lines_of(done)
    packed = {path.stem: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert {name: DECOMPRESS[program](data) for name, data in packed.items()} == texts
    before, after = (sum(map(len, many.values())) for many in (texts, packed))
    share = f"{after / before:.1%}"
    assert lines[-1] == f"{before:12,} -> {after:12,}  {len(texts)} files, {share}"
    assert after < before / 2


def test_mu_run_does_the_same(texts: dict[str, bytes], tmp_path: Path) -> None:
    """If this fails, the command for the shell on the page gives something else."""
    lines_of(
        run_example("compress", "*.md", "--into", "a/{name}.z", "--with", "bzip2", inside=tmp_path)
    )
    command = ["sh", "-c", SCRIPT, "bzip2", "9", "{in}", "{out}"]
    done = subprocess.run(
        [sys.executable, "-m", "mu", "run", "--local", "--input", "*.md", "--output", "b/{name}.z",
         "--", *command],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    one, other = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()} for folder in "ab"
    )
    assert one == other
    assert len(one) == len(texts)


def test_a_program_that_loses_bytes_delivers_nothing(tmp_path: Path) -> None:
    """If this fails, results are not checked."""
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/gzip").write_text('#!/bin/sh\n[ "$1" = -qdc ] && echo other; exit 0\n')
    (tmp_path / "bin/gzip").chmod(0o755)
    done = run_example(
        "compress", "a.txt", "--into", "out/{name}.gz", inside=tmp_path,
        PATH=f"{tmp_path}/bin:/usr/bin:/bin",
    )  # fmt: skip
    assert "CommandFailed: sh ended with exit code 1: " in refusal(done)
    assert "differ" in done.stderr
    assert not (tmp_path / "out").exists()


def test_mistakes_are_named(tmp_path: Path) -> None:
    """If this fails, a mistake ends in a traceback, or some results replace others."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).touch()
    for arguments, expected in (
        (["none*", "--into", "x"], "compress: none*: there is no such file"),
        (["?.txt", "--into", "x"], "compress: x would be written twice: {index} tells items apart"),
        (["?.txt"], "compress: Missing option '--into'."),
    ):
        assert refusal(run_example("compress", *arguments, inside=tmp_path)) == expected
    done = run_example("compress", "a.txt", "--into", "x", inside=tmp_path, PATH=str(tmp_path))
    assert refusal(done) == "compress: there is no gzip on this machine: choose another --with"
