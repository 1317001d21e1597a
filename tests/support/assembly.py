"""The CDK app, synthesised as its users do: by running `app.py`."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STACK = "ExCamera"

HOST_CONTEXT: dict[str, Any] = {
    "architecture": {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64"),
    "python": f"{sys.version_info.major}.{sys.version_info.minor}",
}
"""Context for a stack whose functions run on this very machine."""


def synthesise(outdir: Path, **context: Any) -> subprocess.CompletedProcess[str]:
    """Run `app.py` as `cdk -c name=value` would; the templates are then in `outdir`."""
    environment = {
        **os.environ,
        "CDK_OUTDIR": str(outdir),
        "CDK_CONTEXT_JSON": json.dumps(context),
    }
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py")],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def template(outdir: Path) -> dict[str, Any]:
    """The synthesised template."""
    loaded: dict[str, Any] = json.loads((outdir / f"{STACK}.template.json").read_text())
    return loaded


def resources(document: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Resources of one CloudFormation type, by logical id."""
    return {
        name: resource
        for name, resource in document["Resources"].items()
        if resource["Type"] == kind
    }
