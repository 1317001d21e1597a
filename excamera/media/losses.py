"""What is lost of pictures that are coded between anchors, and steps that make up for it.

`excamera.media.trials` finds it out. The step that plans needs neither numpy nor the codec, and
begins faster without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_MOST_OCTAVES = 3.0
_HALVINGS = 12
"""Of the search for the octaves, which no quantizer tells from more."""


@dataclass(frozen=True, slots=True)
class Lost:
    """What is lost of some pictures: 1 - SSIM, times how many pictures they stand for.

    Attributes:
        sequential: by a sequential encode.
        anchored: between pictures coded ahead, if no step is coarser than the sequential encode's.
        db_of_octave: by how many dB that grows with each octave by which all steps are coarser.
    """

    sequential: float
    anchored: float
    db_of_octave: float

    def at(self, octaves: float) -> float:
        """What is lost between pictures coded ahead if all steps are so much coarser."""
        return self.anchored * 10 ** (self.db_of_octave * octaves / 10)


def even_octaves(lost: Sequence[Lost]) -> float:
    """How much coarser steps have to be so that pictures look as in a sequential encode.

    Returns:
        The logarithm to base 2 of the steps against those of the sequential encode, 0 to 3.
    """
    wanted = sum(one.sequential for one in lost)
    low, high = 0.0, _MOST_OCTAVES
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if sum(one.at(middle) for one in lost) < wanted:
            low = middle
        else:
            high = middle
    return low
