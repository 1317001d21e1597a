"""What each handler declares to need, and what the stack puts into its environment."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from excamera.job.steps import FUNCTIONS
from functions.settings import SettingMalformed, SettingsMissing
from tests.support.assembly import ROOT, built, resources

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
def functions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The properties of each function of a stack with a webhook."""
    folder: Path = tmp_path_factory.mktemp("settings")
    document = built(folder, webhook_url="https://example.com/jobs")
    found = resources(document, "AWS::Lambda::Function").values()
    return {one["Properties"]["Handler"].split(".")[1]: one["Properties"] for one in found}


@pytest.fixture(scope="module")
def environments(functions: dict[str, Any]) -> dict[str, Environment]:
    """The environment of each function."""
    return {
        name: {key: text(value) for key, value in one["Environment"]["Variables"].items()}
        for name, one in functions.items()
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
    ("variable", "value"),
    [("JOB_WORKERS", "many"), ("BATCH_WORKERS", "[1]"), ("SPAN_PIXELS", "1.5")],
)
def test_a_setting_that_cannot_be_read_is_named(
    variable: str,
    value: str,
    environments: dict[str, Environment],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, a function starts with a setting that means something else."""
    with pytest.raises(SettingMalformed, match=variable):
        begin("index", {**environments["index"], variable: value}, monkeypatch)


@pytest.mark.parametrize("name", NAMES)
def test_a_function_imports_only_what_its_layers_hold(
    name: str, functions: dict[str, Any], environments: dict[str, Environment]
) -> None:
    """If this fails, a function that has no layer with PyAV or the codec does not start on AWS."""
    video = ("av", "numpy", "codec")
    code = "import importlib, sys; importlib.import_module(sys.argv[1]); print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code, f"functions.{name}.handler"],
        cwd=ROOT,
        env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1", **environments[name]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    imported = set(video) & set(ran.stdout.split())
    layers = json.dumps(functions[name]["Layers"])
    assert bool(imported) == ("MediaLayer" in layers and "CodecLayer" in layers), imported
