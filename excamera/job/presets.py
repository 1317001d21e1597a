"""Presets: named sets of options for a purpose, which users write as one option.

`excamera.job.options` puts a preset's options in its place, so jobs and plans never name one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from excamera.job.codecs import VP8


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of options.

    Attributes:
        help: one sentence for users about what it is for.
        options: by the API's names. Codec and quality are among them: a stack may have others.
    """

    help: str
    options: Mapping[str, bool | int | str]


PRESETS: Mapping[str, Preset] = {
    "web-1080p": Preset(
        "WebM that every browser plays, at most 1080p, also of an HDR source",
        {"codec": VP8, "crf": 24, "scale": "1080p", "tonemap": True},
    ),
    "web-720p": Preset(
        "The same at most 720p, for slow lines and small screens",
        {"codec": VP8, "crf": 24, "scale": "720p", "tonemap": True},
    ),
    "h264-web": Preset(
        "MP4 that every browser, phone and television plays, at most 1080p",
        {
            "codec": "h264", "crf": 22, "h264_preset": "slow", "scale": "1080p", "tonemap": True,
        },
    ),
    "vp9-web": Preset(
        "WebM for browsers, smaller than that of web-1080p",
        {"codec": "vp9", "crf": 31, "vp9_cpu_used": 1, "scale": "1080p", "tonemap": True},
    ),
    "av1-small": Preset(
        "The smallest file that still looks good, for players that know AV1; at most 1080p",
        {"codec": "av1", "crf": 40, "av1_preset": 4, "scale": "1080p", "tonemap": True},
    ),
    "archive": Preset(
        "A copy to keep: hardly any loss, the source's size and colours, and an error if the "
        "source has damage",
        {"codec": "h264", "crf": 14, "h264_preset": "slower", "strict": True},
    ),
    "fast": Preset(
        "A result as soon as possible, in the source's size",
        {"codec": "h264", "crf": 23, "h264_preset": "veryfast"},
    ),
    "preview": Preset(
        "A small picture to look through a film, as soon as possible",
        {
            "codec": "h264", "crf": 28, "h264_preset": "veryfast", "scale": "360p",
            "tonemap": True,
        },
    ),
}  # fmt: skip
"""The presets by name."""
