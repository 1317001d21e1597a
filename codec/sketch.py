"""Pictures in small, and how well they are predicted: a look ahead that costs little."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec._library import check, library
from codec.errors import FrameArgumentError
from codec.raster import Raster


class Motion(NamedTuple):
    """How a picture is predicted from another, by blocks of 8x8 pixels of their sketches.

    Attributes:
        costs: Hadamard difference of each block: uint16, shape (rows, columns).
        vectors: (down, right) to its place in the other picture, in quarter pixels of the sketch:
            int16, shape (rows, columns, 2).
    """

    costs: npt.NDArray[np.uint16]
    vectors: npt.NDArray[np.int16]


class Sketch:
    """The luma of a picture in small. Immutable.

    A block of 8x8 pixels of a sketch that was halved once covers one macroblock, of one that was
    halved twice two by two.

    Attributes:
        rows: of blocks.
        columns: of blocks.
    """

    __slots__ = ("__weakref__", "_handle", "columns", "rows")

    def __init__(self, raster: Raster, halvings: int = 0) -> None:
        """Makes the sketch of a picture.

        Args:
            raster: the picture.
            halvings: 1 for half its size, 2 for a quarter, 0 for what suits its size.

        Raises:
            FrameArgumentError: `halvings` is none of these.
        """
        native = library()
        handle = ctypes.c_void_p()
        check(native.xc_sketch_new(raster._handle, halvings, ctypes.byref(handle)))
        self._handle = handle
        weakref.finalize(self, native.xc_sketch_free, handle)
        self.rows: int = native.xc_sketch_rows(handle)
        self.columns: int = native.xc_sketch_columns(handle)

    def intra_costs(self) -> npt.NDArray[np.uint16]:
        """Of each block, the Hadamard difference of its best prediction from the pixels beside it.

        Returns:
            uint16, shape (rows, columns).
        """
        costs = np.empty((self.rows, self.columns), np.uint16)
        check(library().xc_intra_costs(self._handle, costs.ctypes.data))
        return costs

    def motion_from(self, reference: Sketch) -> Motion:
        """Where each block comes from in another picture.

        Raises:
            FrameArgumentError: the sketches differ in size.
        """
        if (self.rows, self.columns) != (reference.rows, reference.columns):
            raise FrameArgumentError("two sketches differ in size")
        costs = np.empty((self.rows, self.columns), np.uint16)
        vectors = np.empty((self.rows, self.columns, 2), np.int16)
        check(
            library().xc_find_motion(
                reference._handle, self._handle, costs.ctypes.data, vectors.ctypes.data
            )
        )
        return Motion(costs, vectors)


def steady(
    picture: Raster, neighbours: Sequence[Raster], most: float, *, threads: int = 1
) -> Raster:
    """A picture with less noise: each part is averaged with where it is in pictures around it.

    Args:
        picture: the picture.
        neighbours: up to 14 others of the same size; what cannot be found in one is not taken.
        most: the mean difference of a block in grey levels from which on it counts nothing,
            0.5 to 15.
        threads: how many work on it, 1 to 64; the result is the same for any number.

    Raises:
        FrameArgumentError: sizes differ, or an argument is out of range.
    """
    handles = (ctypes.c_void_p * len(neighbours))(*(one._handle.value for one in neighbours))
    result = ctypes.c_void_p()
    check(
        library().xc_steady(
            picture._handle,
            handles,
            len(neighbours),
            round(16 * most),
            threads,
            ctypes.byref(result),
        )
    )
    return Raster(result)
