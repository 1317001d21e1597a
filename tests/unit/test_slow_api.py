"""A terminal learns for what a command waits; programs read no such line."""

from __future__ import annotations

import io
import sys
import threading
from typing import Any

import pytest

from excamera.cli import cloud
from excamera.cloud.api import Api
from tests.unit.test_cloud_client import serving

LINE = "waiting for the API"


class Terminal(io.StringIO):
    """Standard error; `shown` is set when something is written to it."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self.shown = threading.Event()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> int:
        written = super().write(text)
        self.shown.set()
        return written


def ask_twice(terminal: Terminal, *, as_json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask an API, whose first answer comes once the terminal shows something, if it ever does."""
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(cloud, "SLOW_S", 0)
    expects = terminal.isatty() and not as_json

    def respond(*_: Any) -> Any:
        if expects:
            assert terminal.shown.wait(60)
        return 200, b"{}", {}

    with serving(respond) as url:
        api = Api(
            url, lambda _m, _u, headers, _b: dict(headers), cloud.said_if_slow(as_json=as_json)
        )
        assert api.get("/jobs") == {}
        after_first = terminal.getvalue()
        assert api.get("/jobs") == {}
        assert terminal.getvalue() == after_first, "only a first call meets a cold function"


def test_a_terminal_is_told_and_then_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, the first `excamera jobs` is silent for seconds, or leaves a line behind."""
    terminal = Terminal(True)
    ask_twice(terminal, as_json=False, monkeypatch=monkeypatch)
    text = terminal.getvalue()
    assert text.startswith(f"\r{LINE}")
    assert text.endswith(" \r")
    assert text.count(LINE) == 1


@pytest.mark.parametrize(("is_terminal", "as_json"), [(False, False), (True, True)])
def test_programs_are_not_told(
    is_terminal: bool, as_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, logs of scripts have a line that is meant for a person."""
    terminal = Terminal(is_terminal)
    ask_twice(terminal, as_json=as_json, monkeypatch=monkeypatch)
    assert terminal.getvalue() == ""


def test_a_fast_answer_needs_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, every command flickers."""
    terminal = Terminal(True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(cloud, "SLOW_S", 3600)
    with cloud.said_if_slow(as_json=False):
        pass
    assert terminal.getvalue() == ""


def test_the_command_knows_who_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, `--json` does not keep the line away."""
    from click.testing import CliRunner

    from excamera.cli.jobs import jobs

    seen: list[bool] = []

    def noted(as_json: bool) -> Any:
        seen.append(as_json)
        raise SystemExit

    monkeypatch.setattr(cloud, "said_if_slow", noted)
    for name in ("account", "stack"):
        monkeypatch.setattr(cloud.Cloud, name, None)
    for arguments in (["--json"], []):
        CliRunner().invoke(jobs, arguments)
    assert seen == [True, False]
