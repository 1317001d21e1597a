"""What the structure of a job costs in bits: N and x, and how chunks come to share a key frame.

Measured by `python -m benchmarks.quality.structures` on scenes that never end, a film of short
ones, and clips of several kinds: `benchmarks/results/structures.json`, with which a test compares
this table. Mode rebase is never chosen: it needs half as many bits again as mode anchors
(docs/rate-distortion.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from excamera.job.options import EncodeOptions

MORE_BITS: Mapping[tuple[int, int], float] = {
    (0, 16): 0.0,
    (0, 24): 0.0,
    (0, 12): 0.0252,
    (0, 8): 0.0515,
    (12, 16): 0.1204,
}
"""By N and x: how many more bits the kind of film that needs most needs at equal SSIM than with the
defaults. An N of 0 is chosen for each batch; only then batches end where scenes do."""

MOST_MORE_BITS = 0.01
"""A job that chooses its structure may need so many more bits than with the default options."""


def structures(base: EncodeOptions) -> Iterator[tuple[EncodeOptions, float]]:
    """The options with each structure that is allowed, and how many more bits it needs.

    The usual one comes first.

    Args:
        base: all other options. If they ask for mode rebase, there is nothing to choose: how many
            bits other structures of it need is not known.
    """
    if base.mode == "rebase":
        yield base, 0.0
        return
    for (frames, chunks), more in MORE_BITS.items():
        if more <= MOST_MORE_BITS:
            yield replace(base, chunk_frames=frames, batch_chunks=chunks), more
