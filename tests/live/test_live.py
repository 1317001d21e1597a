"""Scenarios of `tests/aws`, against the stack in a real account."""

import json
import os

import pytest
from click.testing import CliRunner

import mu
from emulator.excamera.deployed import Deployed
from excamera.cli.main import excamera
from tests.aws.test_api import (
    test_a_failure_has_its_reason,
    test_an_object_becomes_a_job,
    test_the_part_of_an_upload_has_its_size,
    test_the_timeline,
)
from tests.aws.test_failures import *  # noqa: F403
from tests.aws.test_message_server import TALKED, talk
from tests.aws.test_uploads import *  # noqa: F403

__all__ = [
    "test_a_failure_has_its_reason",
    "test_an_object_becomes_a_job",
    "test_the_part_of_an_upload_has_its_size",
    "test_the_timeline",
]


def test_the_doctor_finds_nothing() -> None:
    """If this fails, part of the stack has a problem, which the doctor names."""
    found = CliRunner().invoke(excamera, ["doctor", "--stack", os.environ["EXCAMERA_LIVE_STACK"]])
    assert found.exit_code == 0, found.output


def test_a_gang_talks_through_the_server_of_the_stack(stack: Deployed) -> None:
    """If this fails, IAM, the network or ElastiCache keeps the members of a gang apart."""
    if "server" not in json.loads(stack.outputs["Mu"]):
        pytest.skip("the stack has no server for messages: deploy it with -c mu_server=valkey")
    with mu.Executor(f"stack:{stack.name}", timeout=60, channel="valkey") as ex:
        assert ex.gang(talk, range(3)) == TALKED
