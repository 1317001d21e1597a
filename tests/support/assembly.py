"""The templates that the CDK app writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from emulator.excamera.synthesis import STACK

ROOT = Path(__file__).resolve().parents[2]
_STAGING_OFF = "aws:cdk:disable-asset-staging"


def built(outdir: Path, *, copies: bool = False, **context: Any) -> dict[str, Any]:
    """Synthesises the app inside this process, and returns the template.

    After the first, this takes a quarter of the time of `python app.py`, which `synthesise` runs.

    Args:
        outdir: gets the assembly.
        copies: whether it gets the layers, too, as a user's does. Without these 150 MB it names
            where they are.
        context: settings that differ from cdk.json.
    """
    from stacks.node import use_own_node

    use_own_node()
    from stacks.app import synthesise

    settings = (
        json.loads((ROOT / "cdk.json").read_text())["context"]
        | {_STAGING_OFF: not copies}
        | context
    )
    return synthesise(settings, outdir)


def template(outdir: Path, stack: str = STACK) -> dict[str, Any]:
    """Returns the synthesised template."""
    loaded: dict[str, Any] = json.loads((outdir / f"{stack}.template.json").read_text())
    return loaded


def resources(document: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Returns the resources of one CloudFormation type, by logical id."""
    return {
        name: resource
        for name, resource in document["Resources"].items()
        if resource["Type"] == kind
    }
