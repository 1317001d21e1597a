"""What filters see of other frames than the one that they change.

A worker filters a part of a film. So it has to know how many frames before and behind that part a
filter looks at. `tests/pipeline/test_filters.py` compares parts with the whole film.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from excamera.errors import OptionError
from excamera.media.filters.syntax import Written

MOST_FRAMES = 240
"""The most frames before or behind a chunk that its worker filters, too."""


@dataclass(frozen=True, slots=True)
class Sight:
    """How many frames before and behind one a filter sees, or waits for."""

    before: int = 0
    behind: int = 0


_ALONE = frozenset(
    """
    avgblur bilateral cas chromahold chromakey chromanr chromashift codecview colorbalance
    colorchannelmixer colorcontrast colorcorrect colorhold colorize colorkey colorlevels colorspace
    colortemperature convolution copy crop curves dblur dctdnoiz deband deflate despill dilation
    drawbox drawgrid edgedetect epx erosion exposure fftfilt fieldorder fillborders format gblur
    geq gradfun grayworld greyedge hflip histogram hqx hsvhold hsvkey hue huesaturation il inflate
    kirsch lenscorrection limiter lumakey lut lutrgb lutyuv median monochrome negate nlmeans
    noformat null pad pixelize prewitt pseudocolor removegrain rgbashift roberts rotate scale scharr
    selectivecolor setdar setfield setparams setrange setsar shear shufflepixels shuffleplanes sobel
    swaprect swapuv transpose unsharp v360 vflip vibrance xbr yaepblur
    boxblur delogo eq histeq owdenoise perspective sab smartblur vaguedenoiser zscale tonemap
    drawtext lut1d lut3d split alphaextract extractplanes waveform vectorscope
    """.split()  # noqa: SIM905 (as a list they would take a page)
)
"""Filters that see one frame at a time."""

_TOGETHER = frozenset(
    """
    alphamerge blend displace guided hstack hysteresis lut2 maskedclamp maskedmax maskedmerge
    maskedmin maskedthreshold mergeplanes midequalizer mix morpho multiply overlay premultiply
    remap threshold unpremultiply vstack xmedian xstack varblur
    """.split()  # noqa: SIM905
)
"""Filters that put frames of one time together: some wait for the next one."""

_BY_NUMBER = frozenset(
    """
    blend crop drawtext eq fftfilt geq hue overlay pad perspective rotate scale swaprect
    """.split()  # noqa: SIM905
)
"""Those of them that take formulas."""

_REMEMBER = frozenset(
    """
    backgroundkey cellauto deshake elbg feedback hqdn3d lagfun mcdeint oscilloscope photosensitivity
    random scroll thistogram tiltandshift vidstabtransform
    """.split()  # noqa: SIM905
)
"""Filters in which every frame may depend on all before it, or on chance."""

_INSTEAD: dict[str, str] = {
    **dict.fromkeys(
        ("fps", "framerate", "framestep", "minterpolate", "mpdecimate", "decimate"),
        "it changes which frames there are; --fps drops and repeats frames",
    ),
    **dict.fromkeys(
        ("trim", "select", "setpts", "tpad", "loop", "segment"),
        "it changes which frames there are, or their times; --start and --duration trim",
    ),
    **dict.fromkeys(
        """
        amplify concat doubleweave freezeframes interlace interleave mestimate palettegen pullup
        repeatfields reverse separatefields settb shuffleframes tblend telecine thumbnail tile
        tinterlace tlut2 tmedian untile weave zoompan fieldmatch dejudder detelecine
        """.split(),  # noqa: SIM905
        "it changes how many frames there are, or their times; filter the film with ffmpeg first",
    ),
}
"""Filters that change the list of frames, and what to do."""

_FILES = frozenset(
    """
    ass coreimage cover_rect dnn_classify dnn_detect dnn_processing drawtext drawvg find_rect frei0r
    haldclut ladspa libplacebo libvmaf lut1d lut3d lv2 metadata movie nnedi ocr openclsrc
    program_opencl psnr removelogo sendcmd signature sr ssim subtitles vidstabdetect
    vidstabtransform xpsnr zmq
    """.split()  # noqa: SIM905
)
"""Filters that read or write files, load programs, or listen."""

_FILE_OPTIONS = frozenset({"file", "filename", "plot", "psfile", "stats_file", "textfile"})

_CURVES = 6
"""Options of curves that may go without their names, before the one of a file."""

_NUMBER = re.compile(r"(?<![A-Za-z0-9_.])[nN](?![A-Za-z0-9_])|random\s*\(")


def sight(written: Written) -> Sight:
    """What a filter sees of other frames.

    Raises:
        OptionError: that is not known, has no end, or the filter changes the list of frames.
    """
    name = written.name
    if name in _INSTEAD:
        raise OptionError(f"vf: {name} cannot be used: {_INSTEAD[name]}")
    if name in _COMPUTED:
        return _COMPUTED[name](written)
    if name in _REMEMBER:
        raise _endless(name, "every frame may depend on all before it")
    if name not in _ALONE | _TOGETHER:
        raise _endless(name, "it is not known how many other frames it sees")
    counts = name in _BY_NUMBER or "enable" in written.options
    if counts and _NUMBER.search(written.options):
        raise OptionError(
            f"vf: {name} counts frames (n) or draws numbers, which begin again in each part of the "
            "film; use the time (t) instead"
        )
    return Sight() if name in _ALONE else Sight(0, 1)


def refuse_files(written: Written) -> None:
    """Refuse what could read or write files of a machine that is not the user's.

    Raises:
        OptionError: the filter, or one of its options, does.
    """
    without, named = written.given()
    refused = [name for name in named if name in _FILE_OPTIONS or name.startswith("/")]
    if written.name == "curves" and len(without) > _CURVES:
        refused.append("psfile")
    known = written.name in _ALONE | _TOGETHER | _REMEMBER | set(_COMPUTED)
    if written.name in _FILES or not known or refused:
        what = f"{written.name}={refused[0]}" if refused else written.name
        raise OptionError(
            f"vf: {what} cannot be used on a stack: it could read or write files of the machines "
            "there, or is not known; encode on your own machine, or filter the film with ffmpeg "
            "first"
        )


def _endless(name: str, why: str) -> OptionError:
    return OptionError(
        f"vf: {name} cannot be used as it is: {why}, and workers filter parts of the film; say "
        "with --vf-lead how many frames before and behind a part are enough, or filter the film "
        "with ffmpeg first"
    )


def _value(written: Written, names: tuple[str, ...], place: int, default: str) -> str:
    """The value of an option: by one of its names, or by its place."""
    without, named = written.given()
    for name in names:
        if name in named:
            return named[name].strip()
    return without[place].strip() if place < len(without) else default


def _count(written: Written, names: tuple[str, ...], place: int, default: int) -> int:
    text = _value(written, names, place, str(default))
    try:
        return max(0, int(text))
    except ValueError:
        raise OptionError(
            f"vf: {written.name}: {names[0]} must be a number, not {text!r}"
        ) from None


def _deinterlacing(default: str, once: tuple[str, ...], place: int = 0) -> Callable[..., Sight]:
    def of(written: Written) -> Sight:
        if _value(written, ("mode",), place, default) not in once:
            raise OptionError(
                f"vf: {written.name} makes two frames of each; write {written.name}=mode={once[0]}"
            )
        return Sight(1, 1)

    return of


def _averaging(written: Written) -> Sight:
    size = _count(written, ("s",), 6, 9)
    return Sight(size // 2, size // 2 + 1)


def _fading(written: Written) -> Sight:
    without, named = written.given()
    in_seconds = {"duration", "d"} & named.keys()
    if not in_seconds or {"start_frame", "s", "nb_frames", "n"} & named.keys() or len(without) > 1:
        raise OptionError(
            "vf: fade counts frames, which begin again in each part of the film; give seconds, "
            "such as fade=t=out:st=58:d=2"
        )
    return Sight()


def _dithering(written: Written) -> Sight:
    if _value(written, ("dither",), 5, "1") not in ("0", "false"):
        raise OptionError("vf: vignette draws numbers; write vignette=dither=0")
    if _NUMBER.search(written.options):
        raise OptionError("vf: vignette counts frames (n); use the time (t) instead")
    return Sight()


def _grain(written: Written) -> Sight:
    _, named = written.given()
    flags = [value for name, value in named.items() if name.endswith(("f", "flags"))]
    if any(set(value.split("+")) & {"t", "a"} for value in flags):
        raise _endless("noise", "grain that changes with time depends on all frames before")
    return Sight()


_COMPUTED: dict[str, Callable[[Written], Sight]] = {
    "bwdif": _deinterlacing("send_field", ("send_frame", "0")),
    "yadif": _deinterlacing("send_frame", ("send_frame", "0")),
    "w3fdif": _deinterlacing("field", ("frame", "0"), 1),
    "estdif": _deinterlacing("field", ("frame", "0")),
    "tmix": lambda one: Sight(max(1, _count(one, ("frames",), 0, 3)) - 1, 0),
    "atadenoise": _averaging,
    "dedot": lambda one: Sight(2, 2),
    "fftdnoiz": lambda one: Sight(_count(one, ("prev",), 5, 0), _count(one, ("next",), 6, 0)),
    "bm3d": lambda one: Sight(),
    "normalize": lambda one: Sight(_count(one, ("smoothing",), 2, 0), 0),
    "tmidequalizer": lambda one: Sight(*[_count(one, ("radius",), 0, 5)] * 2),
    "deflicker": lambda one: Sight(*[_count(one, ("size", "s"), 0, 5)] * 2),
    "fade": _fading,
    "vignette": _dithering,
    "noise": _grain,
}
"""Filters whose sight depends on their options."""
