"""The CDK app: `excamera` and `cdk` run it; `python app.py` alone writes `cdk.out`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mu.system import refuse_windows

refuse_windows("the CDK app")

from stacks.node import use_own_node  # noqa: E402

use_own_node()  # before anything of the CDK is imported

from excamera.cloud.project import Project  # noqa: E402
from excamera.errors import DeploymentFailed  # noqa: E402
from stacks.app import synthesise  # noqa: E402
from stacks.settings import SettingError  # noqa: E402

if __name__ == "__main__":
    # The CDK's command line reads only the cdk.json of its folder, and `python app.py` none.
    project = Project(Path(__file__).resolve().parent, Path.cwd())
    try:
        synthesise(project.context(), Path(os.environ.get("CDK_OUTDIR", "cdk.out")))
    except (SettingError, DeploymentFailed) as error:
        sys.exit(f"cdk.json: {error}")
