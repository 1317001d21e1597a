"""The CDK app: `cdk deploy` runs this, and `python app.py` alone writes `cdk.out`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from stacks.node import use_own_node

use_own_node()  # before anything of the CDK is imported

from aws_cdk import App, Validations  # noqa: E402
from cdk_nag import AwsSolutionsChecks  # noqa: E402

from stacks.excamera_stack import ExCameraStack  # noqa: E402
from stacks.settings import SettingError, Settings  # noqa: E402

_CONTEXT = json.loads(Path(__file__).with_name("cdk.json").read_text())["context"]


def main() -> None:
    """Synthesise; settings come from `cdk.json`, and from the command line over it."""
    app = App(context=_CONTEXT, outdir=os.environ.get("CDK_OUTDIR", "cdk.out"))
    try:
        settings = Settings.from_context(app.node)
    except SettingError as error:
        sys.exit(f"cdk.json: {error}")
    ExCameraStack(app, app.node.get_context("stack_name"), settings)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()


main()
