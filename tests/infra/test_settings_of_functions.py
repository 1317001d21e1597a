"""What each handler declares to need, and what the stack puts into its environment."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from excamera.job.steps import FUNCTIONS
from functions.settings import SettingMalformed, SettingsMissing
from tests.support.assembly import resources, synthesise, template

Environment = dict[str, str]
NAMES = [one.name for one in FUNCTIONS]


def text(value: Any) -> str:
    """A value of a template as the function will see it."""
    match value:
        case str():
            return value
        case {"Fn::Join": ["", parts]}:
            return "".join(map(text, parts))
    return "known-after-deployment"


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Environment]:
    """The environment of each function of a stack with a webhook."""
    folder: Path = tmp_path_factory.mktemp("settings")
    done = synthesise(folder, webhook_url="https://example.com/jobs")
    assert done.returncode == 0, done.stderr
    return {
        properties["Handler"].split(".")[1]: {
            name: text(value) for name, value in properties["Environment"]["Variables"].items()
        }
        for properties in (
            one["Properties"]
            for one in resources(template(folder), "AWS::Lambda::Function").values()
        )
    }


def begin(name: str, environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Import a handler as Lambda does at a cold start."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    module = f"functions.{name}.handler"
    sys.modules.pop(module, None)
    try:
        importlib.import_module(module)
    finally:
        sys.modules.pop(module, None)


@pytest.mark.parametrize("name", NAMES)
def test_a_function_gets_the_settings_that_it_declares(
    name: str, environments: dict[str, Environment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a function does not start, or the stack tells it what it does not read."""
    given = environments[name]
    common = {key: value for key, value in given.items() if key.startswith("POWERTOOLS_")}
    own = given.keys() - common.keys()
    for variable in own:
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(SettingsMissing) as caught:
        begin(name, common, monkeypatch)
    assert set(caught.value.variables) == own
    for variable in own:
        assert re.search(rf"\b{variable}\b", str(caught.value))
    begin(name, given, monkeypatch)


@pytest.mark.parametrize(
    ("variable", "value"), [("BATCHES_AT_ONCE", "many"), ("CHUNKS_AT_ONCE", "[1]")]
)
def test_a_setting_that_cannot_be_read_is_named(
    variable: str,
    value: str,
    environments: dict[str, Environment],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, a function starts with a setting that means something else."""
    with pytest.raises(SettingMalformed, match=variable):
        begin("plan", {**environments["plan"], variable: value}, monkeypatch)
