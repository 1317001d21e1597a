"""Neither threads nor instruction sets nor chunks change a byte of the results."""

import random

import pytest
from hypothesis import example, given, settings

import codec
from tests.support import outputs
from tests.support.levels import REFERENCE, processes
from tests.support.stream_strategy import EDGES, STREAMS

SETTINGS = settings(max_examples=50)
THREADS = (2, 3, 5)


def with_edges(test):
    """Has a test try every stream of EDGES first."""
    for stream in EDGES:
        test = example(stream=stream)(test)
    return test


@pytest.fixture(scope="module")
def levels():
    """Provides a process at each SIMD level."""
    with processes() as running:
        yield running


def first_difference(expected, found):
    """Returns the first operation and frame that differ; None if all are equal."""
    assert expected.keys() == found.keys()
    for name, results in expected.items():
        assert len(results) == len(found[name])
        for index, pair in enumerate(zip(results, found[name], strict=True)):
            if pair[0] != pair[1]:
                return name, index
    return None


def damaged(frames, states, seed, count):
    """Returns frames with wrong bits or cut short, each with the state before it."""
    choose = random.Random(seed)
    pairs = []
    for _ in range(count):
        index = choose.randrange(1, len(frames))
        frame = bytearray(frames[index])
        reach = choose.choice((len(frame), min(40, len(frame))))
        for _ in range(choose.choice((0, 1, 1, 8))):
            frame[choose.randrange(3, max(reach, 4))] ^= 1 << choose.randrange(8)
        if choose.random() < 0.3:
            del frame[choose.randrange(1, len(frame)) :]
        pairs.append((states[index - 1], bytes(frame)))
    return pairs


@SETTINGS
@with_edges
@given(stream=STREAMS)
def test_threads_change_nothing(stream):
    """A worker's results would depend on how many processors it has."""
    pictures = stream.pictures()
    frames = stream.frames(pictures)
    alone = outputs.of_every_operation(pictures, frames, stream.y_ac_qi, 1)
    for threads in THREADS:
        together = outputs.of_every_operation(pictures, frames, stream.y_ac_qi, threads)
        assert first_difference(alone, together) is None, threads


@SETTINGS
@with_edges
@given(stream=STREAMS)
def test_levels_change_nothing(stream, levels):
    """A worker's results would depend on the processor it happens to run on."""
    pictures = stream.pictures()
    frames = stream.frames(pictures)
    found = {
        level: process.submit(
            outputs.of_every_operation, pictures, frames, stream.y_ac_qi, threads
        ).result()
        for threads, (level, process) in enumerate(levels.items(), start=1)
    }
    for level, results in found.items():
        assert first_difference(found[REFERENCE], results) is None, level


@SETTINGS
@with_edges
@given(stream=STREAMS)
def test_chunk_is_its_frames_one_by_one(stream):
    """A seam between calls would show, or a worker would pass on a wrong state."""
    threads = stream.seed % 3 + 1
    pictures = stream.pictures()
    # An empty frame repeats the last.
    frames = [*stream.frames(pictures), b""]
    one_by_one = outputs.decoded(frames, 1)
    assert codec.decode_chunk(None, frames, threads=threads) == one_by_one
    middle = len(frames) // 2
    before = one_by_one[middle - 1].state
    later = codec.decode_chunk(before, frames[middle:], threads=threads)
    assert later == one_by_one[middle:]
    for count in range(1, len(frames) + 1):
        after = codec.advance(None, frames[:count], threads=threads)
        assert after == one_by_one[count - 1].state

    state = codec.encode_key_frame(pictures[0], stream.y_ac_qi).state
    inter = frames[1 : len(pictures)]
    made_for = [one.state.basis() for one in one_by_one[: len(inter)]]
    expected = outputs.rebased(state, pictures[1:], inter, made_for, 1)
    chunk = codec.rebase_chunk(state, pictures[1:], inter, made_for, threads=threads)
    assert chunk.frames == [one.frame for one in expected]
    assert chunk.state == (expected[-1].state if expected else state)
    again = codec.decode_chunk(state, chunk.frames, threads=threads)
    assert [one.state for one in again] == [one.state for one in expected]


@SETTINGS
@with_edges
@given(stream=STREAMS)
def test_damaged_frames_come_out_alike(stream, levels):
    """A broken frame would pass on one machine and fail on another, or show another picture.

    Values that no encoder writes reach sums that encoded streams never do.
    """
    pictures = stream.pictures()
    frames = stream.frames(pictures)
    states = [one.state for one in outputs.decoded(frames, 1)]
    for state, frame in damaged(frames, states, stream.seed, 8):
        expected = outputs.of_damaged(state, frame, 1)
        assert outputs.of_damaged(state, frame, 3) == expected
        for level, process in levels.items():
            found = process.submit(outputs.of_damaged, state, frame, 2).result()
            assert found == expected, level


def test_streams_reach_what_they_are_named_for():
    """The tests above would pass without segmentation, partitions, versions or references."""
    columns, rows = zip(*((-(-s.width // 16), -(-s.height // 16)) for s in EDGES), strict=True)
    assert {1, 3, 4, 5} <= set(columns)
    assert max(columns) >= 9
    assert 1 in rows
    for stream in EDGES:
        frames = stream.frames(stream.pictures())
        header = codec.read_header(frames[0])
        assert [codec.read_header(frame).key_frame for frame in frames[1:]] == [False] * len(
            stream.flags
        )
        assert header.version == stream.profile
        # The first three bools of a key frame each halve the rest of the first byte's
        # range: color_space and clamping_type are 0, the third is segmentation_enabled.
        assert (32 <= frames[0][10] < 64) == stream.segmented
        partitions_begin = 10 + header.first_partition_size
        assert len(frames[0]) >= partitions_begin + 3 * (stream.partitions - 1)
    assert {stream.profile for stream in EDGES} == {0, 1, 2, 3}
    after = outputs.decoded(frames := EDGES[6].frames(EDGES[6].pictures()), 1)
    assert len(frames) == 4
    assert after[1].state.altref not in (after[1].state.last, after[0].state.altref)
