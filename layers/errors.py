"""Errors of building a layer.

LayerBuildError
├── LayerInputError  an argument or a file of the repository does not suit the build
├── ToolMissing      a tool is not installed beside this Python, or not in the pinned version
└── CommandFailed    a tool failed; the message ends with its last lines
"""


class LayerBuildError(Exception):
    """A layer could not be built; the message says what to do."""


class LayerInputError(LayerBuildError, ValueError):
    """An argument or a file of the repository does not suit the build."""


class ToolMissing(LayerBuildError):
    """A tool is not installed beside this Python, or not in the pinned version."""


class CommandFailed(LayerBuildError):
    """A tool failed; the message ends with its last lines."""
