"""Runs a stack on loopback until interrupted: `python -m emulator <assembly> <stack>`."""

import argparse
import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from emulator import Emulator

Greeting = Callable[[Emulator, dict[str, str]], None]


def show(emulator: Emulator, outputs: dict[str, str]) -> None:
    """Prints what a shell needs to reach the stack, and the stack's outputs."""
    for name, value in emulator.environment.items():
        print(f"export {name}={value}")
    print()
    for name, value in outputs.items():
        print(f"{name} = {value}")
    print("\nCtrl-C ends it.", flush=True)


def serve(
    assembly: Path, stack: str, root: Path, greet: Greeting = show, *, authenticate: bool = False
) -> None:
    """Deploys a stack to an emulator of its own and keeps it until SIGINT or SIGTERM.

    Args:
        assembly: The synthesised assembly.
        stack: The stack's name.
        root: The emulator's directory.
        greet: Called once the stack is deployed.
        authenticate: Whether to enforce roles and signatures.
    """
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    with Emulator(root, authenticate=authenticate) as emulator:
        greet(emulator, emulator.deploy(assembly, stack))
        ended.wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m emulator", description=__doc__)
    parser.add_argument("assembly", type=Path, help="directory that `cdk synth` wrote")
    parser.add_argument("stack", help="name of the stack in it")
    parser.add_argument("--root", type=Path, help="directory for logs (default: a temporary one)")
    parser.add_argument(
        "--authenticate", action="store_true", help="enforce roles, bucket policies and signatures"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="emulator-") as scratch:
        root = options.root or Path(scratch)
        serve(options.assembly, options.stack, root, authenticate=options.authenticate)


if __name__ == "__main__":
    main()
