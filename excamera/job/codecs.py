"""The codecs that a user can choose for a result: their scale of quality, and their containers.

What containers and encoders have to know of a codec is in `excamera.media.codecs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from excamera.errors import OptionError, UnknownOutputFormat

VP8 = "vp8"
"""The codec whose chunks share key frames; every other one is encoded in plain chunks."""

DASH, HLS = "mpd", "m3u8"
"""The endings of manifests."""

FRAGMENTS = "fmp4"
"""MP4 in fragments, one for each batch, in which the files of a ladder are."""

SOUND = "audio"
"""The name of the sound among the files of a ladder."""

AUTO = "auto"
"""The container or the depth that is usual for the codec."""

DEPTHS = (AUTO, "8", "10")
"""The values of the option `depth`."""

_BYTE = 8


@dataclass(frozen=True, slots=True)
class CodecChoice:
    """A codec of results, as users choose it.

    Attributes:
        crf: the usual quality, on the encoder's own scale; 0 is the best.
        worst_crf: the end of that scale.
        containers: that hold it, by name; the first is the usual one of results in the cloud.
        best_mixed: the best quality that may stand beside others in one film. x264's 0 is lossless,
            which is another profile.
        bits: the most that a sample of it may have here.
        usual_bits: the most that it has if nobody asks.
        manifests: of a ladder, likewise: what lists its files of several sizes.
    """

    crf: int
    worst_crf: int
    containers: tuple[str, ...]
    manifests: tuple[str, ...]
    best_mixed: int = 0
    bits: int = 8
    usual_bits: int = 8


# VP8 and MP4 do not go together: FFmpeg does not write it there, and browsers do not play it.
# The libvpx that PyAV carries makes 8 bits only. Every decoder of AV1 knows 10 bits; few devices
# know them of H.264.
CODECS: Mapping[str, CodecChoice] = {
    VP8: CodecChoice(24, 63, ("webm", "mkv", "ivf"), (DASH,)),
    "vp9": CodecChoice(32, 63, ("webm", "mkv", "mp4", "ivf"), (DASH, HLS)),
    "av1": CodecChoice(35, 63, ("webm", "mkv", "mp4", "ivf"), (DASH, HLS), bits=10, usual_bits=10),
    "h264": CodecChoice(23, 51, ("mp4", "mkv"), (HLS, DASH), best_mixed=1, bits=10),
}
"""The codecs by name; the first is the default."""

CONTAINERS: tuple[str, ...] = tuple(
    dict.fromkeys(name for choice in CODECS.values() for name in choice.containers)
)
"""The names of all containers."""

MANIFESTS = (DASH, HLS)
"""The names of all manifests."""

WORST_CRF = max(choice.worst_crf for choice in CODECS.values())

USUAL_CRF = ", ".join(f"{choice.crf} for {name}" for name, choice in CODECS.items())
"""The usual quality of each codec, for users."""


def depth_of(codec: str, depth: str, source_bits: int) -> int:
    """The bits of a sample of the result, 8 or 10.

    Args:
        codec: of the result.
        depth: the option of that name.
        source_bits: of a sample of the source.
    """
    if depth != AUTO:
        return int(depth)
    return min(10 if source_bits > _BYTE else _BYTE, CODECS[codec].usual_bits)


def check_depth(codec: str, depth: str) -> None:
    """Refuse a depth that a codec has not.

    Raises:
        OptionError: the message says which codecs have it.
    """
    if depth != AUTO and int(depth) > CODECS[codec].bits:
        deep = " or ".join(name for name, one in CODECS.items() if one.bits >= int(depth))
        raise OptionError(
            f"depth {depth}: {codec} has {CODECS[codec].bits} bits here: choose {deep}, or leave "
            "out depth"
        )


def check_pair(container: str, codec: str) -> None:
    """Refuse a container that does not hold a codec.

    Raises:
        UnknownOutputFormat: the message says which containers do.
    """
    holding = CODECS[codec].manifests if container in MANIFESTS else CODECS[codec].containers
    if container not in holding:
        endings = " or ".join(f".{name}" for name in holding)
        raise UnknownOutputFormat(
            f"a .{container} file does not hold {codec}: name the output {endings}, "
            "or choose another codec"
        )


def check_ladder(container: str, ladder: str) -> None:
    """Refuse a ladder without a manifest, and a manifest without a ladder.

    Args:
        container: of the result.
        ladder: the option.

    Raises:
        UnknownOutputFormat: the message says what to do.
    """
    endings = " or ".join(f".{name}" for name in MANIFESTS)
    if ladder and container not in MANIFESTS:
        raise UnknownOutputFormat(
            f"a ladder has several files and a manifest that lists them: name the output {endings}"
        )
    if container in MANIFESTS and not ladder:
        raise UnknownOutputFormat(
            f"a .{container} file is the manifest of several sizes: say which with --ladder"
        )


def container_of_rungs(manifest: str, codec: str) -> str:
    """The container of the files that a manifest lists."""
    return "webm" if manifest == DASH and "webm" in CODECS[codec].containers else FRAGMENTS


def ending_of(container: str) -> str:
    """The ending of a container's files, without the point."""
    return "mp4" if container == FRAGMENTS else container


def is_manifest(name: str) -> bool:
    """Whether a file of a ladder is its manifest, or a playlist."""
    return PurePath(name).suffix[1:] in MANIFESTS


def rung_of(name: str) -> str | None:
    """The name of the size that a file of a ladder has, such as "1080p"; else None."""
    part = PurePath(name).stem.rpartition("-")[2]
    return None if is_manifest(name) or part == SOUND else part


def container_for(codec: str, container: str = AUTO, ladder: str = "") -> str:
    """The container of a result in the cloud, or the manifest of a ladder.

    Args:
        codec: of the result.
        container: what the user asks for; "auto" leaves it to the codec.
        ladder: the option.

    Raises:
        OptionError: it does not hold the codec.
    """
    holding = CODECS[codec].manifests if ladder else CODECS[codec].containers
    if container == AUTO:
        return holding[0]
    if container not in holding:
        what = f"a ladder of {codec}" if ladder else codec
        raise OptionError(f"container must be {' or '.join(holding)} for {what}, not {container}")
    return container
