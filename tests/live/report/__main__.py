"""`python -m tests.live.report`: asks, runs the probes, and prints what they found."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import click

from tests.live.report import jobs, machines, workers
from tests.live.report.subject import SMALL, USUAL, Live, Scale, Section, deployed


@dataclass(frozen=True)
class Probe:
    """One thing that only an account can show.

    Attributes:
        title: of its section.
        run: measures it; its docstring says what it does.
        usd: what that costs at most.
    """

    title: str
    run: Callable[[Live], Section]
    usd: Callable[[Scale], float]

    @property
    def name(self) -> str:
        """For ``--only``."""
        return self.run.__name__.replace("_", "-")


PROBES = (
    Probe("Functions of a job", jobs.functions, jobs.job_usd),
    Probe("What the job cost", jobs.costs, lambda _scale: 0.0),
    Probe("How long events take", jobs.latencies, jobs.latencies_usd),
    Probe("Logs, metrics, traces and alarms", jobs.presence, jobs.presence_usd),
    Probe("Children of a map", machines.children, machines.children_usd),
    Probe("Throttling by Step Functions", machines.throttling, machines.throttling_usd),
    Probe("Start rates of workers", workers.start_rates, workers.start_rates_usd),
    Probe("S3 and one worker", workers.throughput, workers.throughput_usd),
    Probe("Conditional writes", workers.conflicts, workers.conflicts_usd),
)
"""In the order in which they run."""


@click.command()
@click.option("--stack", "name", default="ExCamera", show_default=True, help="The stack's name.")
@click.option("--cost-limit", default=1.0, show_default=True, help="The most it may cost, dollars.")
@click.option("--small", is_flag=True, help="Do little of everything, to try it out.")
@click.option("--only", multiple=True, type=click.Choice([one.name for one in PROBES]),
              help="Run only this; may be repeated.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def report(
    name: str, cost_limit: float, small: bool, only: tuple[str, ...], yes: bool, as_json: bool
) -> None:
    """Measure on a deployed stack what only an account can show."""
    scale = SMALL if small else USUAL
    probes = [one for one in PROBES if not only or one.name in only]
    usd = sum(one.usd(scale) for one in probes)
    _tell(f"On the stack {name} this will, for at most {usd:.2f} dollars at list prices:")
    for probe in probes:
        does = (probe.run.__doc__ or "").strip().partition("\n")[0]
        _tell(f"- {probe.name}: {does} ({probe.usd(scale):.3f})")
    _tell("It makes objects, roles, three state machines, a queue and a rule, all named "
          "live-report-..., and removes them.")  # fmt: skip
    if usd > cost_limit:
        raise click.ClickException(
            f"this could cost {usd:.2f} dollars, and --cost-limit is {cost_limit:.2f}: give "
            "--small or --only, or a higher limit"
        )
    if not yes and not click.confirm("Go on?", err=True):
        raise click.Abort
    live = Live(deployed(name), scale)
    sections: dict[str, Section | str] = {}
    try:
        for probe in probes:
            _tell(f"{probe.title} ...")
            try:
                sections[probe.name] = probe.run(live)
            except Exception as error:  # one probe must not end the others
                sections[probe.name] = f"{type(error).__name__}: {error}"
    finally:
        left = live.close()
    told = json_of(live, sections, left) if as_json else markdown(live, probes, sections, left)
    click.echo(told)
    sys.exit(any(isinstance(one, str) for one in sections.values()) or bool(left))


def _tell(line: str) -> None:
    click.echo(line, err=True)


def markdown(
    live: Live, probes: list[Probe], sections: dict[str, Section | str], left: list[str]
) -> str:
    """The report for people."""
    region = live.stack.client("stepfunctions").meta.region_name
    lines = [
        f"# {live.stack.name} in {region}",
        "",
        f"Measured on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, "
        f"{'little of everything' if live.scale is SMALL else 'at the usual scale'}.",
    ]
    for probe in probes:
        found = sections[probe.name]
        lines += ["", f"## {probe.title}", ""]
        if isinstance(found, str):
            lines.append(f"**Failed:** {_one_line(found)}")
            continue
        lines += [*found.lines, ""]
        if found.rows:
            lines += [_row(found.head), _row(["---"] * len(found.head)), *map(_row, found.rows), ""]
        lines += [f"- Not measured here: {_one_line(one)}" for one in found.missing]
    if left:
        lines += ["", "## Left behind", "", *(f"- {_one_line(one)}" for one in left)]
    return "\n".join(lines)


def _row(cells: Any) -> str:
    return f"| {' | '.join(str(one) for one in cells)} |"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def json_of(live: Live, sections: dict[str, Section | str], left: list[str]) -> str:
    """The report for programs."""
    return json.dumps(
        {
            "stack": live.stack.name,
            "measured": datetime.now(UTC).isoformat(),
            "scale": asdict(live.scale),
            "probes": {
                name: {"failed": one}
                if isinstance(one, str)
                else {"facts": one.facts, "missing": one.missing}
                for name, one in sections.items()
            },
            "left": left,
        },
        default=str,
    )


if __name__ == "__main__":
    report()
