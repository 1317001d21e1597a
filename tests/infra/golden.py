"""Writes the golden state machine again: `python -m tests.infra.golden`, then read the diff."""

from __future__ import annotations

import json
from pathlib import Path

from stacks.node import use_own_node
from tests.support.assembly import ROOT

GOLDEN = Path(__file__).with_name("state_machine.asl.json")


def derived() -> str:
    """Returns the definition derived from the flow with the settings of cdk.json."""
    use_own_node()
    from aws_cdk import App

    from stacks.job import definition
    from stacks.settings import Settings

    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    settings = Settings.from_context(App(context=context).node)
    return json.dumps(definition(settings), indent=2) + "\n"


if __name__ == "__main__":
    GOLDEN.write_text(derived())
