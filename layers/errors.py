"""What can go wrong with a layer.

LayerBuildError
├── LayerInputError  an argument or a file of the repository is not as the build needs it
├── ToolMissing      a tool is not installed beside this Python, or in another version
└── CommandFailed    a tool failed; the message ends with its last lines
"""


class LayerBuildError(Exception):
    """A layer could not be built; the message says what to do."""


class LayerInputError(LayerBuildError, ValueError):
    """An argument or a file of the repository is not as the build needs it."""


class ToolMissing(LayerBuildError):
    """A tool is not installed beside this Python, or in another version than the pinned."""


class CommandFailed(LayerBuildError):
    """A tool failed; the message ends with its last lines."""
