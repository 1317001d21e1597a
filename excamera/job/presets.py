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
        "WebM for browsers, at most 1080p",
        {"codec": VP8, "crf": 24, "scale": "1080p", "tonemap": True},
    ),
    "web-720p": Preset(
        "WebM for browsers with slow connections or small screens, at most 720p",
        {"codec": VP8, "crf": 24, "scale": "720p", "tonemap": True},
    ),
    "h264-web": Preset(
        "MP4 for browsers, phones and televisions, at most 1080p",
        {
            "codec": "h264", "crf": 22, "h264_preset": "slow", "scale": "1080p", "tonemap": True,
        },
    ),
    "vp9-web": Preset(
        "WebM in VP9 for browsers, at most 1080p",
        {"codec": "vp9", "crf": 31, "vp9_cpu_used": 1, "scale": "1080p", "tonemap": True},
    ),
    "av1-small": Preset(
        "A small file for players that know AV1, at most 1080p; slow",
        {"codec": "av1", "crf": 40, "av1_preset": 4, "scale": "1080p", "tonemap": True},
    ),
    "archive": Preset(
        "A copy to keep, in the source's size: little loss, and an error if the source has damage",
        {"codec": "h264", "crf": 14, "h264_preset": "slower", "strict": True},
    ),
    "fast": Preset(
        "A result soon, in the source's size",
        {"codec": "h264", "crf": 23, "h264_preset": "veryfast"},
    ),
    "preview": Preset(
        "A small picture to look through a film, soon; at most 360p",
        {
            "codec": "h264", "crf": 28, "h264_preset": "veryfast", "scale": "360p",
            "tonemap": True,
        },
    ),
}  # fmt: skip
"""The presets by name."""
