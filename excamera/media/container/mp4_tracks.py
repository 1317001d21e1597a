"""The tracks of an MP4 file, and their sample entries: how a decoder has to be set up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from excamera.job.geometry import Light
from excamera.media.container.mp4_boxes import box, descriptor, full, halves, words

SOUND_SAMPLES = 1024
"""Samples of a packet of AAC."""


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """The video track.

    Attributes:
        entry: type of its sample entry: "avc1", "vp09" or "av01".
        configuration: box of its decoder's configuration, see `configuration_box`.
        width: px.
        height: px.
        times: when each frame is shown, in order, in ticks of `time_base`.
        end: when the last one ends.
        time_base: seconds of a tick.
        sample_aspect: pixel width to height.
        matrix: H.273 matrix coefficients.
        transfer: H.273 transfer characteristics.
        primaries: H.273 colour primaries.
        light: of HDR pictures.
        language: ISO 639-2, or "".
    """

    entry: str
    configuration: bytes
    width: int
    height: int
    times: Sequence[int]
    end: int
    time_base: Fraction
    sample_aspect: tuple[int, int] = (1, 1)
    matrix: int = 2
    transfer: int = 2
    primaries: int = 2
    light: Light = Light()  # noqa: RUF009 (it cannot change)
    language: str = ""


@dataclass(frozen=True, slots=True)
class SoundTrack:
    """The sound track: AAC.

    Attributes:
        configuration: its AudioSpecificConfig (ISO/IEC 14496-3).
        rate: samples of a second.
        channels: number of channels.
        first: where the first packet begins on the film's clock, in samples; perhaps before 0.
        delay: samples that a decoder must drop at the start.
        samples: that are heard behind these.
        language: ISO 639-2, or "".
        title: of the track, or "".
        place: its number among the sound tracks, from 0.
        default: whether players take it if nobody chooses.
    """

    configuration: bytes
    rate: int
    channels: int
    first: int
    delay: int
    samples: int
    language: str = ""
    title: str = ""
    place: int = 0
    default: bool = True


def configuration_box(entry: str, record: bytes) -> bytes:
    """The box of a decoder's configuration record."""
    if entry == "vp09":
        return full("vpcC", record, version=1)
    return box({"avc1": "avcC", "av01": "av1C"}[entry], record)


def video_entry(video: VideoTrack) -> bytes:
    """The sample entry of a video track."""
    colours = (video.primaries, video.transfer, video.matrix)
    parts = [
        words(0), halves(0, 1), bytes(16),
        halves(video.width, video.height), words(0x480000, 0x480000, 0), halves(1), bytes(32),
        halves(24, 0xFFFF), video.configuration,
        # 2 is unspecified; the last byte says that luma has limited range.
        box("colr", b"nclx", halves(*(one or 2 for one in colours)), b"\0"),
        box("pasp", words(*video.sample_aspect)),
    ]  # fmt: skip
    light = video.light
    if light.primaries and light.luminance:
        red, rest = light.primaries[:2], light.primaries[2:]  # which here comes after blue
        points = halves(*rest[:4], *red, *rest[4:])
        parts.append(box("mdcv", points, words(*light.luminance)))
    if light.content:
        parts.append(box("clli", halves(*(min(one, 0xFFFF) for one in light.content))))
    return box(video.entry, *parts)


def sound_entry(sound: SoundTrack, sizes: Sequence[int]) -> bytes:
    """The sample entry of a sound track with packets of these sizes."""
    seconds = Fraction(SOUND_SAMPLES * len(sizes), sound.rate)
    mean = round(8 * sum(sizes) / seconds)
    most = math.ceil(8 * max(sizes) * Fraction(sound.rate, SOUND_SAMPLES))
    decoder = descriptor(
        4, b"\x40\x15", max(sizes).to_bytes(3, "big"), words(most, mean),
        descriptor(5, sound.configuration)
    )  # fmt: skip
    stream = descriptor(3, halves(0), b"\0", decoder, descriptor(6, b"\x02"))
    # Sixteen bits do not hold a rate of 96 kHz; the configuration has it.
    rate = sound.rate if sound.rate <= 0xFFFF else 0
    return box(
        "mp4a", words(0), halves(0, 1), words(0, 0),
        halves(sound.channels, 16, 0, 0), words(rate << 16), full("esds", stream)
    )  # fmt: skip
