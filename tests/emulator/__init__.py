"""An AWS account on loopback: see README.md."""

from tests.emulator.assembly import DeploymentError
from tests.emulator.emulator import Emulator
from tests.emulator.processes import EmulatorUnavailableError

__all__ = ["DeploymentError", "Emulator", "EmulatorUnavailableError"]
