"""How near the stack, a long film and many jobs come to AWS's limits: docs/limits.md."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from docs.quota_remarks import REMARKS
from docs.reach import NEAR, REACHES, Row, Stack, rows, written
from docs.workload import FILMS, HUNDRED
from mu.store.s3 import join
from stacks.quotas import LOOKED_UP, QUOTAS, quota
from tests.support.assembly import ROOT

PAGE = ROOT / "docs/limits.md"


@pytest.fixture(scope="module")
def reached(assembly: Path, stack: dict[str, Any]) -> Stack:
    """The default stack, with what it is made of."""
    return Stack(stack, assembly, json.loads((ROOT / "cdk.json").read_text())["context"])


@pytest.fixture(scope="module")
def compared(reached: Stack) -> list[Row]:
    """All limits, each with how near it is."""
    return list(rows(reached))


def cells(page: str) -> list[list[str]]:
    """Returns the rows of the page's table."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if line.startswith("|")
    ]


def number(cell: str) -> float:
    """Returns the number in a cell."""
    found = re.search(r"[\d,]+(\.\d+)?", cell)
    return float(found[0].replace(",", "")) if found else 0.0


def test_the_page_is_what_the_code_says(reached: Stack) -> None:
    """If this fails, docs/limits.md tells other limits than the code comes to: `make docs`."""
    page = PAGE.read_text()
    told, made = cells(page), cells(written(page, reached))
    assert [row[:3] + row[7:] for row in told] == [row[:3] + row[7:] for row in made]
    for was, now in zip(told, made, strict=True):
        for a, b in zip(was[3:7], now[3:7], strict=True):
            # Some bytes come and go with every change.
            assert number(a) == pytest.approx(number(b), rel=0.1, abs=1), was[0]
            assert bool(a) == bool(b), was[0]
    assert LOOKED_UP in page


def test_every_limit_is_compared_once() -> None:
    """If this fails, a limit is on the page with nothing behind it, or a remark is of none."""
    names = [one.name for one in QUOTAS]
    assert len(set(names)) == len(names)
    assert set(REACHES) == set(names)
    assert set(REMARKS) <= set(names)
    for one in QUOTAS:
        assert one.source.startswith("https://docs.aws.amazon.com/"), one.name


def test_something_is_compared_with_every_limit(compared: Sequence[Row]) -> None:
    """If this fails, a measure finds nothing, so that its limit could be broken unseen."""
    nothing = {row.quota.name for row in compared if row.share == 0}
    assert nothing == {
        "managed policies of a role", "managed policy", "resource policies of logs",
    }  # fmt: skip


def test_whatever_comes_near_a_limit_has_an_answer(compared: Sequence[Row]) -> None:
    """If this fails, the stack, a long film or a hundred jobs break something, and nobody knows."""
    unanswered = [row.quota.name for row in compared if row.share >= NEAR and not row.remark]
    assert not unanswered


def test_what_no_one_answers_for_stays_below(compared: Sequence[Row]) -> None:
    """If this fails, something fails at a limit that only delays or refuses what is tried again."""
    over = {row.quota.name for row in compared if row.share > 1}
    assert over == {
        "state transitions a second",  # delayed
        "DescribeExecution a second",  # asked again
        # A hundred jobs of small pictures, whose calls no transitions delay any more.
        "reads a second from a prefix",  # tried again
        "writes a second to a prefix",  # tried again
        "uses of keys a second",  # only with a key of one's own; tried again by S3's callers
        "segments a second",  # sampled
        "key",  # refused at once, by two bytes
        "time of a request",  # never takes so long
    }


def test_workers_of_all_jobs_fit_the_account() -> None:
    """If this fails, the queue gives more turns than Lambda runs functions."""
    most = quota("functions at the same time").most
    for work in (*FILMS, *HUNDRED):
        assert 0.9 * most < work.workers < most
    assert all(work.started == work.jobs for work in HUNDRED)


def test_the_store_keeps_to_the_limits_of_s3() -> None:
    """If this fails, mu joins objects of parts that S3 does not take."""
    assert quota("parts of an upload").most == join.MAX_PARTS
    assert quota("part of an upload").most == join.MAX_PART
