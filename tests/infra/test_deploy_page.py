"""docs/deploy.md lists the settings, and its example is what its own formula gives."""

from __future__ import annotations

import contextlib
import io
import json
import re
from dataclasses import fields
from typing import Any

import pytest

from excamera.cloud.cdk import PACKAGE
from excamera.job.steps import FUNCTIONS, cpus_of
from stacks.settings import Settings
from tests.support.assembly import ROOT

PAGE = (ROOT / "docs" / "deploy.md").read_text()


def section(title: str) -> str:
    """Returns the text under a heading."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def block(text: str, language: str) -> str:
    """Returns the first code block in a language."""
    return text.partition(f"```{language}\n")[2].partition("```")[0]


@pytest.fixture(scope="module")
def context() -> dict[str, Any]:
    """The settings of cdk.json, without the CDK's flags."""
    whole = json.loads((ROOT / "cdk.json").read_text())["context"]
    return {name: value for name, value in whole.items() if not name.startswith("@aws-cdk")}


def test_every_setting_is_described_with_its_default(context: dict[str, Any]) -> None:
    """If this fails, the page lacks a setting, keeps a removed one, or gives a wrong default."""
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \| (.+?) \| (.+?) \|$", section("Settings"), re.M)
    assert {name: json.loads(default) for name, default, _, _ in rows} == context
    assert {"stack_name", *(field.name for field in fields(Settings))} == set(context)


def test_every_function_is_described_with_its_memory() -> None:
    """If this fails, the page lacks a function, or tells a wrong memory of one."""
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| ([\d.]+) \| .+ \|$", section("Functions"), re.M)
    assert rows == [
        (one.name, f"{one.memory_mb:,}", f"{cpus_of(one.memory_mb):.2f}") for one in FUNCTIONS
    ]


def test_the_cdk_is_the_one_that_our_command_runs() -> None:
    """If this fails, the page and `excamera deploy` use different versions of the CDK."""
    assert set(re.findall(r"aws-cdk@[\d.]+", PAGE)) == {PACKAGE}


def test_the_costs_are_what_the_formula_gives() -> None:
    """If this fails, a price or a count changed and the example did not."""
    costs = section("What it costs")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(block(costs, "python"), {})
    assert block(costs, "text") == printed.getvalue()
    *fixed, survey, anchors, encode = (
        float(dollars) for dollars in re.findall(r"\S+$", printed.getvalue(), re.M)
    )
    terms = f"{survey} *s* + {anchors} *a* + {encode} *e* dollars"
    assert terms in costs
    readme = (ROOT / "README.md").read_text().replace("\n", " ")
    assert f"about {sum(fixed) * 100:.0f} cents at list prices" in readme
    assert f"adds {encode * 100:.1f} cents" in readme
