"""Filters that many know from other builds of FFmpeg, and what does their work here."""

from __future__ import annotations

import difflib

import av.filter

from excamera.errors import OptionError

_INSTEAD = {
    "ass": "",
    "boxblur": "avgblur or gblur",
    "colormatrix": "colorspace",
    "drawtext": "",
    "eq": "colorlevels, curves or hue",
    "fspp": "deblock",
    "hqdn3d": "nlmeans or atadenoise",
    "kerndeint": "bwdif=mode=send_frame",
    "nnedi": "bwdif=mode=send_frame",
    "owdenoise": "nlmeans or bilateral",
    "pp": "deblock",
    "smartblur": "bilateral",
    "spp": "deblock",
    "subtitles": "",
    "uspp": "deblock",
    "vaguedenoiser": "nlmeans or bilateral",
    "zscale": "scale, or --scale",
}
"""By the names of filters that need the GPL or another library, those which need neither; "" if
there is none."""


def check_known(name: str) -> None:
    """Check that PyAV's FFmpeg has a filter.

    Raises:
        OptionError: it has not; the message names others.
    """
    there = av.filter.filters_available
    if name in there:
        return
    why = f"vf: this FFmpeg has no filter {name!r}"
    if name in _INSTEAD:
        why += ", which needs the GPL or another library: "
        why += f"use {instead}" if (instead := _INSTEAD[name]) else "use ffmpeg first"
    elif alike := difflib.get_close_matches(name, sorted(there), cutoff=0.75):
        why += f": did you mean {' or '.join(alike)}?"
    raise OptionError(why)
