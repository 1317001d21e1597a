"""The codecs that a user can choose for a result: their scale of quality, and their containers.

What containers and encoders have to know of a codec is in `excamera.media.codecs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from excamera.errors import OptionError, UnknownOutputFormat

VP8 = "vp8"
"""The codec whose chunks share key frames; every other one is encoded in plain chunks."""

AUTO = "auto"
"""The container that is usual for the codec."""


@dataclass(frozen=True, slots=True)
class CodecChoice:
    """A codec of results, as users choose it.

    Attributes:
        crf: the usual quality, on the encoder's own scale; 0 is the best.
        worst_crf: the end of that scale.
        containers: that hold it, by name; the first is the usual one of results in the cloud.
        best_mixed: the best quality that may stand beside others in one film. x264's 0 is lossless,
            which is another profile.
    """

    crf: int
    worst_crf: int
    containers: tuple[str, ...]
    best_mixed: int = 0


# VP8 and MP4 do not go together: FFmpeg does not write it there, and browsers do not play it.
CODECS: Mapping[str, CodecChoice] = {
    VP8: CodecChoice(24, 63, ("webm", "mkv", "ivf")),
    "vp9": CodecChoice(32, 63, ("webm", "mkv", "mp4", "ivf")),
    "av1": CodecChoice(35, 63, ("webm", "mkv", "mp4", "ivf")),
    "h264": CodecChoice(23, 51, ("mp4", "mkv"), best_mixed=1),
}
"""The codecs by name; the first is the default."""

CONTAINERS: tuple[str, ...] = tuple(
    dict.fromkeys(name for choice in CODECS.values() for name in choice.containers)
)
"""The names of all containers."""

WORST_CRF = max(choice.worst_crf for choice in CODECS.values())

USUAL_CRF = ", ".join(f"{choice.crf} for {name}" for name, choice in CODECS.items())
"""The usual quality of each codec, for users."""


def check_pair(container: str, codec: str) -> None:
    """Refuse a container that does not hold a codec.

    Raises:
        UnknownOutputFormat: the message says which containers do.
    """
    holding = CODECS[codec].containers
    if container not in holding:
        endings = " or ".join(f".{name}" for name in holding)
        raise UnknownOutputFormat(
            f"a .{container} file does not hold {codec}: name the output {endings}, "
            "or choose another codec"
        )


def container_for(codec: str, container: str = AUTO) -> str:
    """The container of a result in the cloud.

    Args:
        codec: of the result.
        container: what the user asks for; "auto" leaves it to the codec.

    Raises:
        OptionError: it does not hold the codec.
    """
    holding = CODECS[codec].containers
    if container == AUTO:
        return holding[0]
    if container not in holding:
        raise OptionError(f"container must be {' or '.join(holding)} for {codec}, not {container}")
    return container
