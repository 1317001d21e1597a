"""The manifest of a ladder for DASH (ISO/IEC 23009-1), profile on-demand: one file for each size.

A player reads the file's own index of segments: the cues of WebM, `sidx` of MP4.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from urllib.parse import quote
from xml.etree import ElementTree

from excamera.media.manifest.representation import Representation

MEDIA_TYPE = "application/dash+xml"

_PROFILES = {
    "webm": "urn:webm:dash:profile:webm-on-demand:2012",
    "mp4": "urn:mpeg:dash:profile:isoff-on-demand:2011",
}
_CHANNELS = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"


def dash_manifest(
    pictures: Sequence[Representation], sound: Representation | None, duration_s: float
) -> bytes:
    """The manifest of a ladder.

    Args:
        pictures: of each size, the largest first.
        sound: of all sizes, if there is some.
        duration_s: of what ends last, picture or sound.
    """
    longest = max(one.target_s for one in pictures)
    root = ElementTree.Element(
        "MPD",
        xmlns="urn:mpeg:dash:schema:mpd:2011",
        type="static",
        profiles=_PROFILES[pictures[0].media_type.partition("/")[2]],
        mediaPresentationDuration=_seconds(duration_s),
        minBufferTime=_seconds(float(longest)),
    )
    period = ElementTree.SubElement(root, "Period", id="0", start="PT0S")
    for number, group in enumerate([pictures, [sound] if sound else []]):
        if group:
            _add_set(period, number, group)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return text + b"\n"


def _add_set(period: ElementTree.Element, number: int, group: Sequence[Representation]) -> None:
    one = group[0]
    about = {
        "id": str(number),
        "contentType": "audio" if one.is_sound else "video",
        "mimeType": one.media_type,
        "subsegmentAlignment": "true",
        "subsegmentStartsWithSAP": "1",
        **({"lang": one.language} if one.language else {}),
    }
    if not one.is_sound:
        about |= {"maxWidth": str(one.width), "maxHeight": str(one.height)}
    adaptation = ElementTree.SubElement(period, "AdaptationSet", about)
    for representation in group:
        _add_file(adaptation, representation)


def _add_file(adaptation: ElementTree.Element, one: Representation) -> None:
    about = {"id": one.name, "codecs": one.codec, "bandwidth": str(one.peak_rate)}
    if one.is_sound:
        about["audioSamplingRate"] = str(one.sampling_rate)
    else:
        about |= {
            "width": str(one.width),
            "height": str(one.height),
            "frameRate": _ratio(one.frame_rate),
            "sar": ":".join(map(str, one.sample_aspect)),
        }
    element = ElementTree.SubElement(adaptation, "Representation", about)
    if one.is_sound:
        ElementTree.SubElement(
            element, "AudioChannelConfiguration", schemeIdUri=_CHANNELS, value=str(one.channels)
        )
    ElementTree.SubElement(element, "BaseURL").text = quote(one.file)
    at, size = one.index
    base = ElementTree.SubElement(
        element, "SegmentBase", indexRange=f"{at}-{at + size - 1}", indexRangeExact="true"
    )
    ElementTree.SubElement(base, "Initialization", range=f"0-{one.head - 1}")


def _seconds(seconds: float) -> str:
    return f"PT{seconds:.3f}S"


def _ratio(rate: Fraction) -> str:
    near = rate.limit_denominator(1001)
    return str(near)
