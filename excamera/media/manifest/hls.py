"""The playlists of a ladder for HLS (RFC 8216): a list of the sizes, and one of each file's parts.

Each file is MP4 in fragments; its segments are byte ranges of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from urllib.parse import quote

from excamera.media.manifest.representation import Representation

MEDIA_TYPE = "application/vnd.apple.mpegurl"

_VERSION = 7  # fragments of MP4
_GROUP = "audio"


def media_playlist(one: Representation) -> bytes:
    """The segments of a file."""
    name = quote(one.file)
    lines = [
        f"#EXT-X-TARGETDURATION:{math.floor(one.target_s + 1 / 2)}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{name}",BYTERANGE="{one.head}@0"',
    ]
    for segment in one.segments:
        lines += [
            f"#EXTINF:{float(segment.length_s):.6f},",
            f"#EXT-X-BYTERANGE:{segment.size}@{segment.at}",
            name,
        ]
    return _playlist([*lines, "#EXT-X-ENDLIST"])


def master_playlist(
    pictures: Sequence[tuple[Representation, str]], sound: tuple[Representation, str] | None
) -> bytes:
    """The list of the sizes.

    Args:
        pictures: of each size, the largest first, and the name of its playlist.
        sound: of all sizes, if there is some.
    """
    lines = ["#EXT-X-INDEPENDENT-SEGMENTS"]
    if sound is not None:
        heard, name = sound
        language = f'LANGUAGE="{heard.language}",' if heard.language else ""
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{_GROUP}",NAME="{heard.language or "sound"}",'
            f'{language}DEFAULT=YES,AUTOSELECT=YES,CHANNELS="{heard.channels}",'
            f'URI="{quote(name)}"'
        )
    for one, name in pictures:
        together = [one, *([sound[0]] if sound else [])]
        codecs = ",".join(part.codec for part in together)
        lines.append(
            f"#EXT-X-STREAM-INF:BANDWIDTH={sum(part.peak_rate for part in together)},"
            f"AVERAGE-BANDWIDTH={sum(part.mean_rate for part in together)},"
            f'CODECS="{codecs}",RESOLUTION={one.width}x{one.height},'
            f"FRAME-RATE={float(one.frame_rate):.3f}" + (f',AUDIO="{_GROUP}"' if sound else "")
        )
        lines.append(quote(name))
    return _playlist(lines)


def _playlist(lines: Sequence[str]) -> bytes:
    return "\n".join(["#EXTM3U", f"#EXT-X-VERSION:{_VERSION}", *lines, ""]).encode()
