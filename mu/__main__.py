"""The command `mu`, also as `python -m mu`."""

from mu.start import start


def main() -> None:
    """Run the command line, and end with its exit code."""
    start("mu.cli")


if __name__ == "__main__":
    main()
