"""The facts that a file tells."""

from __future__ import annotations

from collections.abc import Sequence

from excamera.media.info import HIDDEN, CodedFrame, StreamInfo, info_of
from excamera.report.facts import ANCHOR, KEY, Frames, Run
from excamera.report.films import opened


def file_run(path: str, name: str | None = None, roles: Sequence[str] = ()) -> Run:
    """A file as a run, without what only its encode knows.

    Args:
        path: of the file, or the URL of an object.
        name: in the report; by default the path.
        roles: what its frames are to their batches, see `excamera.report.facts.Frames`.

    Raises:
        InputError: it is no media file, or cannot be read.
    """
    found = info_of(path, frames=True, source=opened(path))
    picture = next((one for one in found.streams if one.type == "video" and one.packets), None)
    sound = [one for one in found.streams if one.type == "audio"]
    return Run(
        name=name or path,
        codec=picture.codec if picture else "",
        container=found.format,
        bytes=found.size,
        duration_s=round(found.duration_s, 6),
        frame_rate=round(picture.frame_rate, 6) if picture else 0.0,
        width=picture.width if picture else 0,
        height=picture.height if picture else 0,
        frames=frames_of(found.frames, roles),
        facts={
            "Title": found.title,
            "Sound": ", ".join(_sound(one) for one in sound) or "none",
        },
    )


def _sound(stream: StreamInfo) -> str:
    rate = f", {stream.bits_per_second / 1000:,.1f} kbit/s" if stream.duration_s else ""
    return f"{stream.codec}, {stream.channels}, {stream.sample_rate:,} Hz{rate}"


def frames_of(coded: Sequence[CodedFrame], roles: Sequence[str] = ()) -> Frames:
    """The shown frames in order of display, with the bytes of hidden ones.

    Args:
        coded: in order of decoding.
        roles: of each shown frame; left out if they are not as many.
    """
    shown: list[tuple[CodedFrame, list[CodedFrame]]] = []
    hidden: list[CodedFrame] = []
    for frame in coded:
        if frame.type == HIDDEN:
            hidden.append(frame)
        else:
            shown.append((frame, hidden))
            hidden = []
    if all(frame.time_s is not None for frame, _ in shown):
        shown.sort(key=lambda one: one[0].time_s or 0.0)
    if len(roles) != len(shown):
        roles = [""] * len(shown)
    belonging = _with_anchors([before for _, before in shown], roles)
    frames = [frame for frame, _ in shown]
    none = [None] * len(frames)
    extra = [sum(one.size for one in some) for some in belonging]
    return Frames(
        time_s=[None if one.time_s is None else round(one.time_s, 6) for one in frames],
        bytes=[one.size + more for one, more in zip(frames, extra, strict=True)],
        hidden_bytes=extra,
        type=[one.type for one in frames],
        role=roles,
        y_ac_qi=[
            some[-1].y_ac_qi if some and role == ANCHOR else one.y_ac_qi
            for one, some, role in zip(frames, belonging, roles, strict=True)
        ],
        psnr_db=none,
        ssim_db=none,
    )


def _with_anchors(
    hidden: Sequence[list[CodedFrame]], roles: Sequence[str]
) -> list[list[CodedFrame]]:
    """The hidden frames at the frame which shows what they hold.

    A chunk opens with its anchor, hidden, and its last frame only shows that.
    """
    found: list[list[CodedFrame]] = [[] for _ in hidden]
    anchor = None
    for number in range(len(hidden) - 1, -1, -1):
        if roles[number] == ANCHOR:
            anchor = number
        found[number if anchor is None else anchor][:0] = hidden[number]
        if roles[number] == KEY:
            anchor = None
    return found
