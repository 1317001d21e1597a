"""What callers may ask of the codec, and the errors if it cannot be done."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import codec
from tests.support import outputs
from tests.support.levels import REFERENCE, VARIABLE, names_of_levels, process_at, refusal_of
from tests.support.pictures import moving_pictures
from tests.support.streams import encode_with_libvpx

STATM = Path("/proc/self/statm")
needs_statm = pytest.mark.skipif(
    not STATM.exists(), reason="/proc reports how much memory a process has"
)


class Clip:
    """A stream of five frames, its pictures, and what it decodes to."""

    def __init__(self, width=80, height=64, partitions=1):
        self.pictures = moving_pictures(width, height, 5, seed=2, noise=4)
        self.frames = encode_with_libvpx(self.pictures, {"slices": str(partitions), "b": "400k"})
        self.decoded = outputs.decoded(self.frames, 1)
        self.states = [one.state for one in self.decoded]
        self.bases = [state.basis() for state in self.states]


@cache
def clip(*arguments):
    """Returns the same clip to every test that asks for it."""
    return Clip(*arguments)


def another_state():
    """Returns a state of the clip's size that is not one of its own."""
    return codec.encode_key_frame(clip().pictures[0], 90).state


def cut(frame):
    """Returns the first half of a frame."""
    return frame[: len(frame) // 2]


OPERATIONS = {
    "decode": lambda threads: codec.decode(None, clip().frames[0], threads=threads),
    "decode_chunk": lambda threads: codec.decode_chunk(None, clip().frames, threads=threads),
    "decode_chunk, empty": lambda threads: codec.decode_chunk(None, [], threads=threads),
    "advance": lambda threads: codec.advance(None, clip().frames, threads=threads),
    "encode_key_frame": lambda threads: codec.encode_key_frame(
        clip().pictures[0], 40, threads=threads
    ),
    "encode_inter_frame": lambda threads: codec.encode_inter_frame(
        clip().states[0], clip().pictures[1], 40, threads=threads
    ),
    "rebase": lambda threads: codec.rebase(
        another_state(), clip().pictures[1], clip().frames[1], clip().bases[0], threads=threads
    ),
    "rebase_chunk": lambda threads: codec.rebase_chunk(
        another_state(),
        clip().pictures[1:],
        clip().frames[1:],
        clip().bases[:-1],
        threads=threads,
    ),
}


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ((np.zeros((4, 4), np.uint8), (0, 0, 0, 0)), "a segment map of 16 macroblocks for"),
        ((np.zeros((4, 5), np.int64), (0, 0, 0, 0)), "a segment map is uint8 in two dimensions"),
        ((np.full((4, 5), 4, np.uint8), (0, 0, 0, 0)), "a segment is 0 to 3, not 4"),
        ((np.zeros((4, 5), np.uint8), (0, 128, 0, 0)), "quantizer delta is -127 to 127, not 128"),
        ((np.zeros((4, 5), np.uint8), (0,) * 4, (0, 0, 0, -64)), "filter delta is -63 to 63"),
        ((np.zeros((4, 5), np.uint8), (0, 0, 0)), "4 segments, not 3"),
    ],
)
def test_segments_that_no_frame_can_have_are_refused(segments, message):
    """A wrong map would be read past its end, or a delta cut to fewer bits."""
    settings = codec.EncodeSettings(segments=codec.Segments(*segments))
    with pytest.raises(codec.FrameArgumentError, match=message):
        codec.encode_inter_frame(clip().states[0], clip().pictures[1], 40, settings)


@pytest.mark.parametrize("threads", [0, -1, 65])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_threads_out_of_range_are_refused(operation, threads):
    """A typing error would start no thread, or thousands of them."""
    with pytest.raises(codec.FrameArgumentError, match=rf"threads are 1 to 64, not {threads}$"):
        OPERATIONS[operation](threads)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_as_many_threads_as_promised_are_taken(operation):
    """A machine with many cores would be refused, or its threads beyond the rows would hang."""
    assert OPERATIONS[operation](64) == OPERATIONS[operation](1)


@pytest.mark.parametrize("threads", [1, 3])
def test_empty_chunk_is_no_error(threads):
    """A chunk would fail whose frames are all in other chunks."""
    state = clip().states[0]
    assert codec.decode_chunk(state, [], threads=threads) == []
    assert codec.decode_chunk(None, [], threads=threads) == []
    assert codec.rebase_chunk(state, [], [], [], threads=threads) == ([], state)
    assert codec.advance(state, [], threads=threads) == state


def test_neither_a_state_nor_frames_is_an_error():
    """A null pointer would be handed out as a state."""
    with pytest.raises(codec.FrameArgumentError, match="no state and no frames"):
        codec.advance(None, [])


@pytest.mark.parametrize("missing", ["rasters", "frames", "made_for"])
def test_chunk_of_unequal_lengths_is_refused(missing):
    """Native code would read past the end of the shortest list."""
    lists = {
        "rasters": clip().pictures[1:],
        "frames": clip().frames[1:],
        "made_for": clip().bases[:-1],
    }
    lists[missing] = lists[missing][:-1]
    with pytest.raises(codec.FrameArgumentError, match=r"frames need as many rasters and bases"):
        codec.rebase_chunk(another_state(), **lists)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("index", range(5))
@pytest.mark.parametrize("operation", [codec.decode_chunk, codec.advance])
def test_chunk_says_which_frame_cannot_be_decoded(operation, index, threads):
    """One bad frame among hundreds would have to be searched for."""
    frames = list(clip().frames)
    frames[index] = cut(frames[index])
    before = clip().states[index - 1] if index else None
    with pytest.raises(codec.TruncatedBitstream) as alone:
        codec.decode(before, frames[index])
    with pytest.raises(codec.TruncatedBitstream) as in_chunk:
        operation(None, frames, threads=threads)
    assert str(in_chunk.value) == f"frame {index + 1} of 5: {alone.value}"


@pytest.mark.parametrize("threads", [1, 3])
def test_chunk_says_which_frame_cannot_be_rebased(threads):
    """One bad frame among hundreds would have to be searched for."""
    rasters, made_for = clip().pictures[1:], clip().bases[:-1]
    frames = clip().frames[1:]
    frames[2] = frames[2][:5]
    with pytest.raises(codec.TruncatedBitstream, match=r"^frame 3 of 4: "):
        codec.rebase_chunk(another_state(), rasters, frames, made_for, threads=threads)
    small = codec.encode_key_frame(moving_pictures(16, 16, 1)[0], 40).state
    unfit = [*made_for[:3], small.basis()]
    with pytest.raises(codec.StateMismatch, match=r"^frame 4 of 4: "):
        codec.rebase_chunk(another_state(), rasters, clip().frames[1:], unfit, threads=threads)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("index", range(3))
def test_chunk_with_a_key_frame_cannot_be_rebased(index, threads):
    """A key frame would silently drop the state it was put behind."""
    frames = clip().frames[1:4]
    frames[index] = clip().frames[0]
    with pytest.raises(codec.FrameArgumentError, match=rf"^frame {index + 1} of 3: a key frame"):
        codec.rebase_chunk(
            another_state(), clip().pictures[1:4], frames, clip().bases[:3], threads=threads
        )


def failing_calls(of):
    """Calls every operation on chunks so that each fails at the last frame."""
    frames = [*of.frames[:-1], cut(of.frames[-1])]
    for operation in (codec.decode_chunk, codec.advance):
        with pytest.raises(codec.TruncatedBitstream):
            operation(None, frames, threads=2)
    inter = [*of.frames[1:-1], of.frames[0]]
    with pytest.raises(codec.FrameArgumentError):
        codec.rebase_chunk(of.states[0], of.pictures[1:], inter, of.bases[:-1], threads=2)


def test_failed_chunk_changes_no_state():
    """One bad frame would spoil every later one that starts from the same states."""
    before = [codec.State.from_bytes(state.to_bytes()) for state in clip().states]
    failing_calls(clip())
    assert clip().states == before
    assert outputs.decoded(clip().frames, 1) == clip().decoded


def resident_bytes():
    """Returns how much memory this process has."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@needs_statm
def test_failed_chunk_keeps_no_memory():
    """A worker that meets bad frames would run out of memory."""
    large, repeats = clip(640, 480), 20
    for _ in range(3):
        failing_calls(large)
    before = resident_bytes()
    for _ in range(repeats):
        failing_calls(large)
    # Four frames decoded twice and three rebased before each failure, a raster each.
    would_be_kept = repeats * 11 * 640 * 480 * 3 // 2
    assert resident_bytes() - before < would_be_kept // 5


@needs_statm
def test_memory_of_pictures_goes_back():
    """Holes between the pictures that a worker still holds would be memory that nothing can use."""
    width, height, count = 1920, 1080, 80
    luma, chroma = (
        np.zeros((height, width), np.uint8),
        np.zeros((height // 2, width // 2), np.uint8),
    )

    def pictures():
        return [codec.Raster.from_planes(luma, chroma, chroma) for _ in range(count)]

    pictures().clear()  # allocators keep sizes that were freed before
    held = pictures()
    before = resident_bytes()
    del held[::2]
    freed = before - resident_bytes()
    assert freed > count // 4 * width * height * 3 // 2


@pytest.mark.parametrize("partitions", [1, 8])
def test_truncated_frame_is_refused_alike_by_any_number_of_threads(partitions):
    """The same broken frame would be reported differently from one run to the next."""

    def outcome(state, frame, threads):
        try:
            return codec.decode(state, frame, threads=threads)
        except codec.BitstreamError as error:
            return type(error), str(error)

    of = clip(150, 90, partitions)
    refused = 0
    for before, frame in [(None, of.frames[0]), (of.states[0], of.frames[1])]:
        for length in [*range(1, 40), *range(40, len(frame), 23)]:
            expected = outcome(before, frame[:length], 1)
            refused += expected[0] is codec.TruncatedBitstream
            assert outcome(before, frame[:length], 3) == expected, length
    assert refused > 40


def test_calls_at_the_same_time_do_not_mix():
    """Chunks worked on in threads of one process would change each other's pictures."""
    onto, inter = another_state(), (clip().pictures[1:], clip().frames[1:], clip().bases[:-1])
    expected = codec.rebase_chunk(onto, *inter)

    def one(index):
        threads = index % 3 + 1
        if index % 2:
            return codec.rebase_chunk(onto, *inter, threads=threads) == expected
        decoded = codec.decode_chunk(clip().states[0], clip().frames[1:], threads=threads)
        return decoded == clip().decoded[1:]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(96))) == [True] * 96


def test_errors_at_the_same_time_do_not_mix():
    """A thread's exception would name another thread's frame."""

    def message(index):
        frames = list(clip().frames)
        frames[index % 5] = frames[index % 5][: index % 5 + 1]
        with pytest.raises(codec.BitstreamError) as refused:
            codec.decode_chunk(None, frames)
        return str(refused.value)

    with ThreadPoolExecutor(8) as pool:
        for index, text in enumerate(pool.map(message, range(500))):
            assert text.startswith(f"frame {index % 5 + 1} of 5: ")


def test_level_is_an_available_one():
    """A report of speed would not say which instructions it was measured with."""
    names = names_of_levels()
    assert codec.simd_level() in names
    assert REFERENCE in names
    assert set(names) <= {"reference", "sse2", "avx2", "neon"}


def test_best_level_is_the_default(monkeypatch):
    """Every worker would run without the instructions its processor has."""
    monkeypatch.delenv(VARIABLE, raising=False)
    with process_at("") as process:
        assert process.submit(codec.simd_level).result() == names_of_levels()[-1]


def test_unknown_level_is_refused_and_the_available_ones_are_named():
    """A typing error in the variable would be measured as if it were a level."""
    message = refusal_of("mmx")
    assert message.startswith(f"{VARIABLE} is one of {', '.join(names_of_levels())} on this")
    assert message.endswith("not mmx")


def test_unknown_level_fails_every_operation():
    """Work would be done at a level that nobody asked for."""
    with process_at("mmx") as process, pytest.raises(codec.FrameArgumentError, match="not mmx"):
        process.submit(codec.decode, None, clip().frames[0]).result()
