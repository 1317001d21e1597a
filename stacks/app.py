"""The CDK app with its one stack, checked by cdk-nag's AwsSolutions rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from stacks.excamera_stack import ExCameraStack
from stacks.settings import Settings


def build(context: dict[str, Any], outdir: Path) -> App:
    """Make the app; `synth` then writes it, or fails if it breaks a rule.

    Args:
        context: defaults of the settings; values from the CDK's command line override them.
        outdir: folder for the templates and assets.

    Raises:
        SettingError: a setting is wrong.
    """
    app = App(context=context, outdir=str(outdir))
    ExCameraStack(app, app.node.get_context("stack_name"), Settings.from_context(app.node))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app
