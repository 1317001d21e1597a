"""The report on a stack in an account: what it says before it begins, and how it reads logs."""

from __future__ import annotations

import boto3
import pytest
from click.testing import CliRunner

from emulator.excamera.deployed import Deployed
from tests.live.report import __main__ as command
from tests.live.report.__main__ import PROBES, Probe, report
from tests.live.report.jobs import Line
from tests.live.report.subject import SMALL, USUAL, Live, Section


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may ask AWS."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("AWS was asked")

    monkeypatch.setattr(boto3, "client", refuse)


def test_nothing_begins_that_costs_more_than_is_allowed() -> None:
    """If this fails, the report spends more than its user wanted."""
    done = CliRunner().invoke(report, ["--yes", "--cost-limit", "0.01"])
    assert done.exit_code == 1
    assert "--cost-limit is 0.01" in done.stderr


def test_nothing_begins_before_the_user_agrees() -> None:
    """If this fails, the report uses an account without having said for what."""
    done = CliRunner().invoke(report, ["--only", "throttling"], input="n\n")
    assert done.exit_code == 1
    assert "- throttling: Start executions that do nothing" in done.stderr
    assert "- children:" not in done.stderr


def test_what_the_usual_scale_costs() -> None:
    """If this fails, the usual report is above its own limit, or the small one costs something."""
    assert 0.1 < sum(probe.usd(USUAL) for probe in PROBES) < 1.0
    assert sum(probe.usd(SMALL) for probe in PROBES) < 0.05


def test_every_probe_says_what_it_does() -> None:
    """If this fails, a user agrees to something that was not described."""
    assert len({probe.name for probe in PROBES}) == len(PROBES)
    for probe in PROBES:
        assert (probe.run.__doc__ or "").strip(), probe.name


def test_what_lambda_reports_is_understood() -> None:
    """If this fails, cold starts, memory and billed time are missing or mixed up in the report."""
    text = (
        "REPORT RequestId: 0b5d3e5f-1b5c\tDuration: 812.51 ms\tBilled Duration: 1904 ms\t"
        "Memory Size: 1769 MB\tMax Memory Used: 213 MB\tInit Duration: 1090.86 ms\t\n"
    )
    assert Line(0.0, text).numbers == {
        "Duration": 812.51,
        "Billed Duration": 1904,
        "Memory Size": 1769,
        "Max Memory Used": 213,
        "Init Duration": 1090.86,
    }


def test_a_probe_that_fails_does_so_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, one missing right costs the whole report, or things stay in the account."""
    removed: list[str] = []

    def breaks(live: Live) -> Section:
        """Make something, and fail."""
        live.undo("first", lambda: removed.append("first"))
        live.undo("second", lambda: removed.append("second"))
        raise PermissionError("no right\nfor this")

    def works(_live: Live) -> Section:
        """Measure something."""
        return Section(["It is so."], ("what", "how"), [("a", 1)], {"a": 1}, ["b: not here"])

    class Client:
        class meta:  # noqa: N801
            region_name = "eu-north-1"

    found = Deployed("Films", lambda _service: Client, {})
    monkeypatch.setattr(command, "deployed", lambda _name: found)
    monkeypatch.setattr(
        command,
        "PROBES",
        (Probe("Broken", breaks, lambda _: 0.0), Probe("Whole", works, lambda _: 0.0)),
    )
    done = CliRunner().invoke(report, ["--yes"])
    assert done.exit_code == 1
    assert removed == ["second", "first"]
    assert "## Broken\n\n**Failed:** PermissionError: no right for this\n" in done.stdout
    assert "| what | how |\n| --- | --- |\n| a | 1 |\n" in done.stdout
    assert "- Not measured here: b: not here" in done.stdout
