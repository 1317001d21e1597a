"""What each function imports before it can answer: a cold start pays for all of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.assembly import ROOT, built, resources

pytestmark = pytest.mark.slow

COSTLY = {
    "av", "aws_lambda_powertools", "aws_lambda_powertools.event_handler", "aws_xray_sdk", "click",
    "cloudpickle", "codec", "cryptography", "excamera.cli", "excamera.cloud", "excamera.local",
    "mu.executor", "numpy", "pydantic", "redis", "requests", "unittest",
}  # fmt: skip
"""What takes some milliseconds, or many, to import, and is not used by every function."""

TELLING = {"aws_lambda_powertools", "aws_xray_sdk"}
"""Logs, metrics and traces."""

VIDEO = {*TELLING, "av", "numpy", "codec"}

IMPORTS = {
    "admit": TELLING,
    "probe": VIDEO,
    "anchors": VIDEO,
    "api": {*TELLING, "aws_lambda_powertools.event_handler", "pydantic"},
    "audio": VIDEO - {"codec"},
    "encode": VIDEO,
    "ended": TELLING,
    "failure": TELLING,
    "index": VIDEO,
    "plan": TELLING,
    "report": VIDEO,
    "spread": TELLING,
    "start": TELLING,
    "stitch": TELLING,
    "survey": VIDEO,
    "sweep": TELLING,
    "warm": TELLING,
    "watch": TELLING,
    "webhook": TELLING,
    "worker": set(),
}


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The variables of each function in a stack that has all of them, by the function's folder."""
    folder = tmp_path_factory.mktemp("assembly")
    template = built(folder, webhook_url="https://films.example/ended")
    found = {}
    for function in resources(template, "AWS::Lambda::Function").values():
        properties = function["Properties"]
        package, _, step = (
            properties.get("Handler", "").removesuffix(".handler.handler").partition(".")
        )
        if package == "functions":
            variables = properties["Environment"]["Variables"]
            memory = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(properties["MemorySize"])}
            found[step] = {name: plain(value) for name, value in variables.items()} | memory
    return found


def plain(value: Any) -> str:
    """A value of a template as it may be once it is deployed."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        return "".join(plain(part) for part in value["Fn::Join"][1])
    return "deployed"


def test_every_function_has_a_row(environments: dict[str, dict[str, str]]) -> None:
    """If this fails, a new function may import anything."""
    assert set(environments) == set(IMPORTS)
    assert {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")} == set(IMPORTS)


@pytest.mark.parametrize("step", IMPORTS)
def test_a_function_imports_what_it_uses(
    step: str, environments: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    """If this fails, each cold start takes longer than it must, or memory is never tidied."""
    script = (
        f"import gc; import functions.{step}.handler, json, sys; assert gc.isenabled(); "
        "assert gc.get_freeze_count(); print(json.dumps(list(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "AWS_LAMBDA_FUNCTION_NAME": step,
            "AWS_REGION": "eu-north-1",
            "AWS_DEFAULT_REGION": "eu-north-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            **environments[step],
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    imported = set(json.loads(done.stdout.splitlines()[-1]))
    assert imported & COSTLY == IMPORTS[step]
