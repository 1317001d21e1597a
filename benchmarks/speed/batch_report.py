"""The parts of docs/benchmarks.md about whole batches and whole commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.common.markdown import paragraph, table, with_spread
from benchmarks.speed.batch import PACE_CRF, PACES

Tree = Mapping[str, Any]

STAGES = {
    "lookahead": "lookahead",
    "coding": "coding the anchors",
    "chunk": "one chunk",
    "join": "join",
    "anchors and join": "anchors and join together",
}
"""The rows of the first table, by the stage's name in the results."""

PER_MEGAPIXEL = {
    "reading": "reading, of all frames",
    "lookahead": "lookahead, of all frames",
    "coding": "anchors, of what is coded ahead",
    "chunk": "between, of what is not",
    "join": "join, of all frames",
}
"""The columns of the second table, by the stage's name in the results."""


def _rows(sizes: Tree) -> Iterator[tuple[str, Tree]]:
    for size, clips in sizes.items():
        for clip, row in clips.items():
            yield f"{size}, {clip}", row


def _of_threads(times: Tree, threads: str, digits: int = 2) -> str:
    return with_spread(times[threads], digits) if threads in times else ""


def _modelled(stage: Tree) -> str:
    return f"{stage['modelled_s']['6']:,.2f}" if "modelled_s" in stage else ""


def batch(found: Tree) -> str:
    """Returns the section about the stages of a batch."""
    times = []
    for where, row in _rows(found["sizes"]):
        for name, label in STAGES.items():
            stage = row["stages"][name]
            times.append(
                [
                    f"{where}: {label}",
                    *(_of_threads(stage["wall_s"], threads) for threads in ("1", "2")),
                    *(
                        f"{stage['cpu_s'][threads]['median']:,.2f}"
                        if threads in stage["cpu_s"]
                        else ""
                        for threads in ("1", "2")
                    ),
                    with_spread(stage["speedup"]) if "speedup" in stage else "",
                    _modelled(stage),
                ]
            )
    paces = [
        [where, *(f"{row['s_per_megapixel'][stage]:.4f}" for stage in PACES.values())]
        for where, row in _rows(found["sizes"])
    ]
    paces.append([f"median, at crf {PACE_CRF}", *(f"{found['pace'][name]:.4f}" for name in PACES)])
    _, first = next(_rows(found["sizes"]))
    chunks = first["frames"] // first["chunk_frames"]
    return "\n\n".join(
        [
            "## Stages of a batch",
            table(
                [
                    *("", "wall s, 1 thread", "wall s, 2 threads", "CPU s, 1 thread"),
                    *("CPU s, 2 threads", "2 against 1", "wall s, 6 threads, modelled"),
                ],
                times,
            ),
            paragraph(
                f"""A batch of {first["frames"]} frames in {chunks} chunks of
                {first["chunk_frames"]} in mode anchors, crf {found["crf"]}, effort
                {found["effort"]}. Clips are scaled, and street, which is shorter, is played
                forwards and then backwards. Pictures are read while the clock is stopped. Coding
                the anchors is the whole step without a lookahead that was timed alone. The chunk is
                one in the middle: it first decodes the anchors before it. A chunk and the join have
                one thread."""
            ),
            paragraph(
                """The times for six threads are not measured. Lookahead and coding are each taken
                for a serial part and rows of macroblocks that all cost the same. A thread takes the
                next row when it is free, and follows the row above by two macroblocks, which are
                announced in fours. This schedule gives the gain of two threads and of six; the
                times on one and two then give both parts, so what two threads lose to each other
                counts as serial."""
            ),
            "CPU seconds of one thread for a megapixel:",
            table(["", *(PER_MEGAPIXEL[stage] for stage in PACES.values())], paces),
            paragraph(
                f"""Reading is decoding an H.264 file of the same frames to pictures for the
                encoder; no other figure holds it. `excamera estimate` is based on the medians. They
                are at crf {PACE_CRF}, as all its times: from the crf of this measurement they
                follow by the estimate's own rule."""
            ),
        ]
    )


def command(sizes: Tree) -> str:
    """Returns the section about whole commands."""
    rows, sides = [], ("excamera encode", "libvpx")
    for where, row in _rows(sizes):
        ours, theirs = (row["contenders"][name] for name in sides)
        rows.append(
            [
                where,
                *(with_spread(one["wall_s"]) for one in (ours, theirs)),
                with_spread(row["wall_share"]),
                *(f"{one['cpu_s']['median']:,.2f}" for one in (ours, theirs)),
                f"{ours['bytes'] / theirs['bytes'] - 1:+.1%}",
                f"{ours['psnr_y_db'] - theirs['psnr_y_db']:+.2f}",
                f"{ours['ssim_y']:.4f}, {theirs['ssim_y']:.4f}",
            ]
        )
    _, first = next(_rows(sizes))
    return "\n\n".join(
        [
            "## Whole commands",
            table(
                [
                    *("", "ours, wall s", "libvpx, wall s", "ours / libvpx", "ours, CPU s"),
                    *("libvpx, CPU s", "bytes", "PSNR Y, dB", "SSIM Y, ours and libvpx"),
                ],
                rows,
            ),
            paragraph(
                f"""`excamera encode IN.mp4 OUT.webm --crf {first["crf"]}` on {first["cpus"]} CPUs,
                from its start to its end, takes turns with what
                `ffmpeg -i IN.mp4 -c:v libvpx -deadline good -cpu-used 0 -crf {first["their_crf"]}
                -b:v RATE OUT.webm` does, where RATE is the bit rate of our result. The latter is a
                process of its own that runs the same libraries through PyAV, not FFmpeg's program:
                it decodes and encodes with as many threads as there are CPUs, as that does, and its
                clock starts when they are loaded. Below 1, ours is faster here. The files have
                {first["frames"]} frames of H.264 and no sound. Bytes and PSNR compare ours with
                libvpx's, which does not hit the bit rate exactly."""
            ),
        ]
    )
