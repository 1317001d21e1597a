"""Scenarios of `tests/aws`, against the stack in a real account."""

from tests.aws.test_failures import *  # noqa: F403
from tests.aws.test_uploads import *  # noqa: F403
