"""The stack as deployed to a real account: `EXCAMERA_LIVE_STACK=ExCamera pytest tests/live`.

Runs the scenarios of `tests/aws` that do not need an emulator, with the environment's usual
credentials and region. They upload small clips, run jobs that cost well under a cent each, and
leave their objects and executions in the account.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from emulator.excamera.deployed import Deployed
from excamera.cloud.account import Account
from excamera.cloud.api import Api
from tests.aws.conftest import clip, locally
from tests.live.report.subject import deployed

__all__ = ["clip", "locally", "stack"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves these tests out unless a stack is named."""
    if os.environ.get("EXCAMERA_LIVE_STACK"):
        return
    skip = pytest.mark.skip(reason="EXCAMERA_LIVE_STACK names no stack in a real account")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def stack() -> Deployed:
    """The deployed stack."""
    return deployed(os.environ["EXCAMERA_LIVE_STACK"])


@pytest.fixture
def api(stack: Deployed) -> Api:
    """The stack's API."""
    account = Account()
    return Api.of_stack(account, account.stack(stack.name))
