"""What the options of editing leave of a film, for estimates."""

from __future__ import annotations

from dataclasses import replace

from excamera.errors import NoFrames
from excamera.job import forms
from excamera.job.codecs import depth_of
from excamera.job.framing import cropped_geometry, rungs_of, scaled_geometry
from excamera.job.geometry import Geometry
from excamera.job.options import EncodeOptions
from excamera.price.film import Film


def edited(film: Film, options: EncodeOptions) -> Film:
    """A film with its trim, rate, size and sound; what filters make of the size is not known.

    Raises:
        NoFrames: it ends before the trim begins.
        OptionError: the crop does not lie in the picture.
    """
    begin = forms.parse_start(options.start) if options.start else 0
    if begin >= film.duration_s:
        raise NoFrames(f"the film is {film.duration_s:.3f} s long: choose an earlier --start")
    seconds = film.duration_s - float(begin)
    if options.duration:
        seconds = min(seconds, float(forms.parse_duration(options.duration)))
    rate = film.frames / film.duration_s
    if options.fps:
        rate = float(forms.parse_rate(options.fps))
    geometry = Geometry(film.width, film.height)
    geometry = scaled_geometry(cropped_geometry(geometry, options, "the film"), options)
    left = Film(
        max(1, round(seconds * rate)),
        geometry.width,
        geometry.height,
        seconds,
        0 if options.audio == forms.NO_AUDIO else film.sound,
        depth_of(options.codec, options.depth, film.bits),
    )
    return in_sizes(left, options)


def in_sizes(film: Film, options: EncodeOptions) -> Film:
    """A film that is edited already, in the sizes of the options' ladder if they have one."""
    rungs, _ = rungs_of(Geometry(film.width, film.height), options)
    if not rungs:
        return film
    pixels = sum(width * height for width, height in (one.size for one in rungs))
    return replace(film, sizes=pixels / (film.width * film.height), rungs=len(rungs))
