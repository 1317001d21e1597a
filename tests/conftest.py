"""Settings of all tests."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# The same examples every time: a test that fails does so for all, and again. For the same reason
# nothing is timed.
settings.register_profile(
    "suite", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")

# Shells start background jobs with Ctrl-C ignored, and programs under test would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _work_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Encodes that fail on purpose leave nothing in the user's own cache."""
    os.environ["EXCAMERA_WORK_DIR"] = str(tmp_path_factory.mktemp("work"))
