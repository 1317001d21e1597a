"""The command `excamera`, also as `python -m excamera`."""

from mu.start import start


def main() -> None:
    """Run the command line, and end with its exit code."""
    start("excamera.cli")


if __name__ == "__main__":
    main()
