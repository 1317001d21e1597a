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


def synthesise(outdir: Path, **context: Any) -> subprocess.CompletedProcess[str]:
    """Runs `app.py` as `cdk -c name=value` would; it writes the templates to `outdir`."""
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
