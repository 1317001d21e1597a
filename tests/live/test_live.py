"""Scenarios of `tests/aws`, against the stack in a real account."""

import os

from click.testing import CliRunner

from excamera.cli.main import excamera
from tests.aws.test_api import (
    test_a_failure_has_its_reason,
    test_an_object_becomes_a_job,
    test_the_part_of_an_upload_has_its_size,
    test_the_timeline,
)
from tests.aws.test_failures import *  # noqa: F403
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
