"""The command `mu`: functions and programs on many workers, from a shell."""

from mu.cli.main import main

__all__ = ["main"]
