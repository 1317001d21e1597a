"""Settings of all tests."""

import signal

from hypothesis import settings

# The same examples every time: a test that fails does so for all, and again.
settings.register_profile("suite", derandomize=True)
settings.load_profile("suite")

# Shells start background jobs with Ctrl-C ignored, and programs under test would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
