"""An AWS account on loopback: see README.md."""

from emulator.assembly import DeploymentError
from emulator.emulator import Emulator
from emulator.processes import EmulatorUnavailableError

__all__ = ["DeploymentError", "Emulator", "EmulatorUnavailableError"]
