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


def noisy(luma, seed, deviation=2.0):
    """Returns a picture of this luma with noise."""
    noise = np.random.default_rng(seed).normal(0, deviation, luma.shape)
    return picture(np.clip(luma + noise, 0, 255).astype(np.uint8))


def error(raster, luma):
    """Returns the mean squared error of a picture's luma."""
    return float(((raster.planes()[0].astype(float) - luma) ** 2).mean())


@pytest.mark.parametrize("shift", [0, 2, 9])
def test_noise_is_averaged_away(shift):
    """Still scenes would pay for the noise of every anchor."""
    big = texture(160, 260)
    luma = big[:, 40:232]
    around = [
        noisy(big[:, 40 + k * shift : 232 + k * shift], 10 + k) for k in (-3, -2, -1, 1, 2, 3)
    ]
    one = noisy(luma, 9)
    assert error(codec.steady(one, around, 5), luma) * 2 < error(one, luma)


def test_what_differs_is_not_averaged():
    """A moving subject would leave ghosts in the pictures that all others refer to."""
    luma = texture(96, 112) // 2
    one, others = picture(luma), [picture(luma + by) for by in (40, 120)]
    assert codec.steady(one, others, 5) == one
    assert codec.steady(one, [], 5) == one


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (100, 135)])
def test_threads_and_edges_do_not_change_what_is_averaged(size):
    """Results would depend on the memory of a function."""
    luma = texture(*size)
    one, *others = (noisy(luma, seed) for seed in range(5))
    alone = codec.steady(one, others, 5)
    assert codec.steady(one, others, 5, threads=3) == alone
    assert (alone.width, alone.height) == (one.width, one.height)


@pytest.mark.parametrize(
    ("count", "most", "message"),
    [(15, 5, "at most 14 neighbours, not 15"), (1, 0.1, "8 to 255, not 2"), (1, 16, "not 256")],
)
def test_what_cannot_be_averaged_is_refused(count, most, message):
    """Sums would overflow, or nothing would happen without a word."""
    one = picture(texture(32, 32))
    with pytest.raises(codec.FrameArgumentError, match=message):
        codec.steady(one, [one] * count, most)
    with pytest.raises(codec.FrameArgumentError, match="differ in size"):
        codec.steady(one, [picture(texture(32, 40))], 5)


def digest() -> str:
    """Returns a digest of everything that sketches of two pictures say."""
    one, two = (Sketch(picture(texture(203, 301, seed))) for seed in (1, 2))
    motion = two.motion_from(one)
    luma = texture(99, 140)
    first, *others = (noisy(luma, seed) for seed in range(4))
    parts = [motion.costs.tobytes(), motion.vectors.tobytes(), one.intra_costs().tobytes()]
    parts.append(codec.steady(first, others, 5).i420())
    return hashlib.sha256(b"".join(parts)).hexdigest()


def test_every_instruction_set_sees_the_same():
    """Results would depend on the machine that a worker runs on."""
    with processes() as running:
        found = {name: process.submit(digest).result() for name, process in running.items()}
    assert len(set(found.values())) == 1, found
