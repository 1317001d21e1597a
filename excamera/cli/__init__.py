"""The command line: `excamera encode`, `decode`, `compare`, `sample`."""

from excamera.cli.main import main

__all__ = ["main"]
