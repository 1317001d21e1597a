"""Pages of something drawn, such as text: a new one consists of the letters of the one before."""

from __future__ import annotations

import numpy as np

import codec
from codec import EncodeSettings
from excamera.job.encoders import QI_OF_CRF

_EFFORT = 1
"""The least with which the encoder looks for letters everywhere."""

_SAME = 1
"""Grey levels by which neighbouring pixels of one colour differ at most."""

_INK = 32
"""Grey levels between the darkest and the brightest pixel of a block that shows something."""

_DRAWN = 0.5
"""At least so many of a block's pixels are the same as the next one if it is drawn."""

_PAGE = 0.7
"""At least so many of the blocks that show something are drawn, in text nearly all; in pictures of
cameras and in rendered ones up to half are."""

_HELPS = 0.9
"""A page is known if the one before saves a tenth of the bits that it needs alone."""

_BLOCK = 16


def is_known_page(picture: codec.Raster, previous: codec.Raster, crf: int) -> bool:
    """Whether a picture is drawn, and what is drawn was in the picture before, in other places.

    Sketches do not show that: letters are too small for them. So the picture is encoded for a
    trial, alone and after the other.

    Args:
        picture: one that seems to begin a scene.
        previous: the one before it, of the same size.
        crf: quality.
    """
    if not _is_drawn(picture):
        return False
    qi, settings = QI_OF_CRF[crf], EncodeSettings(effort=_EFFORT)
    alone = codec.encode_key_frame(picture, qi, settings)
    before = codec.encode_key_frame(previous, qi, settings)
    after = codec.encode_inter_frame(before.state, picture, qi, settings)
    return len(after.frame) < _HELPS * len(alone.frame)


def _is_drawn(picture: codec.Raster) -> bool:
    luma = picture.planes()[0]
    rows, columns = (side // _BLOCK for side in luma.shape)
    if not rows or not columns:
        return False
    blocks = (
        luma[: rows * _BLOCK, : columns * _BLOCK]
        .reshape(rows, _BLOCK, columns, _BLOCK)
        .swapaxes(1, 2)
        .astype(np.int16)
    )
    shows = blocks.max(axis=(2, 3)) - blocks.min(axis=(2, 3)) >= _INK
    same = (np.abs(np.diff(blocks, axis=3)) <= _SAME).mean(axis=(2, 3)) >= _DRAWN
    return bool(shows.any() and same[shows].mean() >= _PAGE)
