"""The CDK app, synthesised as its users do it: by running `app.py`."""

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
"""Context for a stack whose functions run on this machine."""


def synthesise(
    outdir: Path, /, *, stderr: int | None = subprocess.PIPE, **context: Any
) -> subprocess.CompletedProcess[str]:
    """Runs `app.py` as `cdk -c name=value` would.

    Args:
        outdir: Gets the templates.
        stderr: None shows progress and errors as they come; otherwise they are in the answer.
        context: Settings that differ from cdk.json.
    """
    environment = {
        **os.environ,
        "CDK_OUTDIR": str(outdir),
        "CDK_CONTEXT_JSON": json.dumps(context),
    }
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py")],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        check=False,
    )
