"""Encodes a video with libvpx as the command line of FFmpeg does, and reports the time.

    python -m benchmarks.speed.command_child INPUT OUTPUT CRF BIT_RATE

It is `ffmpeg -i INPUT -c:v libvpx -deadline good -cpu-used 0 -crf CRF -b:v BIT_RATE OUTPUT`:
decoder and encoder choose their threads, which are as many as there are CPUs. Prints a JSON object.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import av
from av.video.frame import PictureType

from benchmarks.common.timing import Spent

OPTIONS = {"deadline": "good", "cpu-used": "0"}


def encode(source: str, target: str, crf: str, bit_rate: str) -> None:
    """Encodes one file."""
    with av.open(source) as film, av.open(target, "w") as out:
        video = film.streams.video[0]
        video.thread_type = "AUTO"
        made = out.add_stream("libvpx", rate=video.average_rate, options={**OPTIONS, "crf": crf})
        made.width, made.height, made.pix_fmt = video.width, video.height, "yuv420p"
        made.bit_rate = int(bit_rate)
        made.codec_context.thread_count = 0
        for frame in film.decode(video):
            frame.pict_type = PictureType.NONE  # else the source decides where key frames are
            out.mux(made.encode(frame))
        out.mux(made.encode(None))


def main() -> int:
    """Encodes and reports."""
    spent = Spent()
    with spent.more():
        encode(*sys.argv[1:])
    print(json.dumps(asdict(spent)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
