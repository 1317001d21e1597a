"""The emulator as a whole, whatever is deployed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emulator import Emulator
from emulator.runs import until
from tests.support.processes import alive

pytestmark = pytest.mark.aws


def test_loopback_only(emulator: Emulator) -> None:
    """The emulator can be reached from the network."""
    try:
        listing = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("ss is not installed.")
    ours = [
        line.split()[3]
        for line in listing.stdout.splitlines()
        if any(os.getpgid(pid) in emulator.pids for pid in pids_of(line))
    ]
    assert len(ours) >= 2
    assert all(address.startswith("127.0.0.1:") for address in ours)


def pids_of(line: str) -> list[int]:
    """Returns the processes that a line of `ss -p` names and that still run."""
    found = [int(part.split(",")[0].rstrip(")")) for part in line.split("pid=")[1:]]
    return [pid for pid in found if Path(f"/proc/{pid}").exists()]


def test_ends_with_its_parent(tmp_path: Path, emulator: Emulator) -> None:
    """A killed test run leaves servers behind."""
    program = (
        "import pathlib, sys, time\n"
        "from emulator import Emulator\n"
        "emulator = Emulator(pathlib.Path(sys.argv[1]))\n"
        "emulator.start()\n"
        "print(*emulator.pids, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert len(pids) == 2
    until(lambda: not any(alive(pid) for pid in pids))
