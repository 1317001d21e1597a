"""The CDK app with its one stack, checked by cdk-nag's AwsSolutions rules and against limits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from stacks import limits, regions
from stacks.excamera_stack import ExCameraStack
from stacks.settings import SettingError, Settings

_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
_QUALIFIER = re.compile(r"[A-Za-z0-9_-]{1,10}")


def build(context: dict[str, Any], outdir: Path) -> App:
    """Make the app; its `synth` then writes it, or fails if it breaks a rule of cdk-nag.

    Args:
        context: defaults of the settings; values from the CDK's command line override them.
        outdir: folder for the templates and assets.

    Raises:
        SettingError: a setting is wrong.
    """
    return _build(context, outdir)[0]


def synthesise(context: dict[str, Any], outdir: Path) -> dict[str, Any]:
    """Write the app, and check that a service will not refuse what it has; returns the template.

    Args:
        context: as for `build`.
        outdir: as for `build`.

    Raises:
        SettingError: a setting is wrong, or makes something too large. The folder then holds
            nothing that the CDK's command line would deploy.
    """
    try:
        app, stack, settings = _build(context, outdir)
        with _explained():
            app.synth()
        file = outdir / f"{stack}.template.json"
        template: dict[str, Any] = json.loads(file.read_text())
        limits.check(template, settings)
    except BaseException:
        (outdir / "manifest.json").unlink(missing_ok=True)
        raise
    return template


def _build(context: dict[str, Any], outdir: Path) -> tuple[App, str, Settings]:
    # `stacks.limits` counts resources, and knows which setting makes them.
    context = {
        **context,
        "@aws-cdk/core:stackResourceLimit": 0,
        # White space counts, too, when CloudFormation limits a template's bytes.
        "@aws-cdk/core:suppressTemplateIndentation": True,
    }
    app = App(context=context, outdir=str(outdir))
    name = _matching(app, "stack_name", _STACK_NAME, "at most 128 letters, digits and hyphens, "
                     "with a letter first")  # fmt: skip
    qualifier = "@aws-cdk/core:bootstrapQualifier"
    if app.node.try_get_context(qualifier) is not None:
        _matching(app, qualifier, _QUALIFIER, "at most 10 letters and digits")
    settings = Settings.from_context(app.node)
    region = regions.region()
    if region is not None:
        regions.check(settings, region)
    with _explained():
        ExCameraStack(app, name, settings)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app, name, settings


@contextmanager
def _explained() -> Iterator[None]:
    """Replace what the CDK raises, which is a trace of JavaScript."""
    try:
        yield
    except RuntimeError as error:
        raise SettingError(f"the CDK refuses the stack with these settings: {error}") from error


def _matching(app: App, name: str, shape: re.Pattern[str], what: str) -> str:
    value = app.node.get_context(name)
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise SettingError(f"{name} must be {what}, not {value!r}")
    return value
