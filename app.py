"""The CDK app: `cdk deploy` runs it; `python app.py` alone writes `cdk.out`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from mu.system import refuse_windows

refuse_windows("the CDK app")

from stacks.node import use_own_node  # noqa: E402

use_own_node()  # before anything of the CDK is imported

from stacks.app import synthesise  # noqa: E402
from stacks.settings import SettingError  # noqa: E402

if __name__ == "__main__":
    # The CDK's command line reads cdk.json itself; `python app.py` must do so here.
    context = json.loads(Path(__file__).with_name("cdk.json").read_text())["context"]
    try:
        synthesise(context, Path(os.environ.get("CDK_OUTDIR", "cdk.out")))
    except SettingError as error:
        sys.exit(f"cdk.json: {error}")
