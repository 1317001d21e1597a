"""What a look ahead sees of pictures in small."""

import hashlib

import numpy as np
import pytest

import codec
from codec import Raster, Sketch
from tests.support.levels import processes


def picture(luma) -> Raster:
    """Returns a picture of this luma without colour."""
    height, width = luma.shape
    grey = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
    return Raster.from_planes(np.ascontiguousarray(luma), grey, grey)


def texture(height, width, seed=0):
    """Returns smooth noise, which looks like itself in one place only."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (height // 12 + 2, width // 12 + 2)).astype(float)
    fine = np.kron(coarse, np.ones((12, 12)))
    smooth = sum(np.roll(fine, (y, x), (0, 1)) for y in range(12) for x in range(12)) / 144
    return smooth[:height, :width].astype(np.uint8)


@pytest.mark.parametrize("shift", [(0, 0), (4, -6), (-10, 3), (40, 64), (1, 1)])
@pytest.mark.parametrize("halvings", [1, 2])
def test_motion_is_found(shift, halvings):
    """Quantizers would be chosen as if a pan were all new pictures."""
    big = texture(400, 480)
    down, right = shift
    before = picture(big[64:320, 80:400])
    after = picture(big[64 + down : 320 + down, 80 + right : 400 + right])
    motion = Sketch(after, halvings).motion_from(Sketch(before, halvings))
    scale = 4 / (1 << halvings)
    inside = motion.vectors[5:-5, 5:-5] if halvings == 1 else motion.vectors[3:-3, 3:-3]
    found = np.median(inside.reshape(-1, 2), axis=0)
    assert np.abs(found - np.array(shift) * scale).max() <= 1
    alone = Sketch(after, halvings).intra_costs()
    assert np.median(motion.costs) * 3 < np.median(alone)


def test_a_still_picture_costs_nothing():
    """Still scenes would be coded as finely as moving ones."""
    still = Sketch(picture(texture(100, 133)))
    motion = still.motion_from(still)
    assert not motion.costs.any()
    assert not motion.vectors.any()
    assert (still.rows, still.columns) == (7, 9)


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (37, 1), (95, 97), (96, 96)])
@pytest.mark.parametrize("halvings", [1, 2])
def test_any_size_can_be_sketched(size, halvings):
    """Odd pictures would crash the first worker of a batch."""
    one, two = (Sketch(picture(texture(*size, seed)), halvings) for seed in (1, 2))
    motion = two.motion_from(one)
    scale = 8 << halvings
    shape = tuple(-(-side // scale) for side in size)
    assert motion.costs.shape == one.intra_costs().shape == shape


def test_sketches_that_do_not_fit_are_refused():
    """Pixels outside one of them would be read."""
    small, large = (Sketch(picture(texture(96, width))) for width in (94, 96))
    with pytest.raises(codec.FrameArgumentError, match="differ in size"):
        small.motion_from(large)
    with pytest.raises(codec.FrameArgumentError, match="halved once or twice, not 3"):
        Sketch(picture(texture(64, 64)), 3)


def digest() -> str:
    """Returns a digest of everything that sketches of two pictures say."""
    one, two = (Sketch(picture(texture(203, 301, seed))) for seed in (1, 2))
    motion = two.motion_from(one)
    parts = (motion.costs, motion.vectors, one.intra_costs())
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def test_every_instruction_set_sees_the_same():
    """Results would depend on the machine that a worker runs on."""
    with processes() as running:
        found = {name: process.submit(digest).result() for name, process in running.items()}
    assert len(set(found.values())) == 1, found
