"""How large a result becomes, and with which crf a film probably meets a target."""

from __future__ import annotations

import math

from excamera.job import forms
from excamera.job.codecs import CODECS
from excamera.job.options import EncodeOptions
from excamera.job.target import BITRATE, SIZE, SSIM, Target
from excamera.job.zones import parse_zones
from excamera.price import plain
from excamera.price.film import Film
from excamera.price.pace import CRF_OCTAVE, SOUND_BITS, Pace

_DB_OF_OCTAVE = 3.0
"""What halving the bits usually costs."""

_USUAL_SSIM_DB, _USUAL_PSNR_DB = 16.0, 38.0
"""Of a film at the usual crf."""

_LOWEST_GUESS = 6


def bits_of(pace: Pace, options: EncodeOptions) -> float:
    """Bits of a megapixel of the result, without sound."""
    if options.is_plain:
        return plain.bits_of(options)
    return pace.bits * float(2 ** ((24 - options.crf) / CRF_OCTAVE))


def result_bytes(film: Film, options: EncodeOptions, pace: Pace) -> int:
    """The expected size of a result."""
    target = options.target
    if target is not None and target.kind == SIZE:
        return round(target.wanted)
    bits = film.frames * film.megapixels * bits_of(pace, aimed(film, options, pace))
    bits *= _by_zones(film, options)
    if target is not None and target.kind == BITRATE:
        bits = _bits_wanted(target, film)
    sound_bits = SOUND_BITS * film.duration_s * film.sound
    return round((bits + sound_bits) / 8)


def octave_of(options: EncodeOptions) -> float:
    """Steps of `crf` that halve the bits."""
    return plain.COSTS[options.codec].octave if options.is_plain else CRF_OCTAVE


def guessed_crf(film: Film, options: EncodeOptions, pace: Pace | None = None) -> int:
    """The crf with which a film probably meets the options' target; without one their own."""
    target = options.target
    if target is None:
        return options.crf
    usual = CODECS[options.codec].crf
    if target.is_quality:
        octaves = _octaves_of_quality(target)
    else:
        bits = _bits_wanted(target, film)
        expected = bits_of(pace or Pace(), options.with_crf(usual))
        octaves = math.log2(expected * film.frames * film.megapixels / max(1.0, bits))
    highest = CODECS[options.codec].worst_crf - _LOWEST_GUESS
    guess = round(usual + octaves * octave_of(options))
    return min(max(guess, _LOWEST_GUESS), highest)


def aimed(film: Film, options: EncodeOptions, pace: Pace) -> EncodeOptions:
    """The options with the crf that is expected of their target."""
    if options.target is None:
        return options
    return options.with_crf(guessed_crf(film, options, pace))


def _by_zones(film: Film, options: EncodeOptions) -> float:
    """The bits of a film with its zones as a multiple of those without, if it is alike all over."""
    factor = 1.0
    begin_s = forms.parse_start(options.start or "0")
    for zone in parse_zones(options.zones):
        share = zone.share_of(begin_s, film.duration_s)
        change = zone.change(options.exact_crf)
        factor += share * (2 ** (-change / octave_of(options)) - 1)
    return factor


def _octaves_of_quality(target: Target) -> float:
    usual = _USUAL_SSIM_DB if target.kind == SSIM else _USUAL_PSNR_DB
    return (usual - target.wanted) / _DB_OF_OCTAVE


def _bits_wanted(target: Target, film: Film) -> float:
    if target.kind == BITRATE:
        return 1000 * target.wanted * film.duration_s
    return 8 * target.wanted - SOUND_BITS * film.duration_s * film.sound
