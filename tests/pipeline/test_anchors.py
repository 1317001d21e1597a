"""Chunks between exact anchors: beneath the pipeline, and odd shapes through all of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import codec
from codec import is_key_frame, is_shown
from excamera.errors import PlanMismatch, SeamMismatch
from excamera.job.objects import Job, Keys
from excamera.job.options import EncodeOptions
from excamera.job.records import AnchorsRecord, ShareRecord
from excamera.local import encode_file
from excamera.media.anchors import (
    ChunkAnchors,
    Opened,
    encode_anchors,
    encode_between,
    join_anchored,
)
from excamera.media.join import CodedChunk
from excamera.media.lookahead import Lookahead
from excamera.media.playback import read_file
from excamera.steps.anchors import stored_anchors
from excamera.steps.pieces import frames_of
from mu import DirectoryStore
from tests.pipeline.by_hand import JobByHand
from tests.pipeline.clips import Clip, check_plays_alike, key_frames, mean_error, moving_picture

OPTIONS = EncodeOptions(crf=20, mode="anchors")

Coded = tuple[list[ChunkAnchors], list[CodedChunk]]


def rasters(first: int, end: int) -> list[codec.Raster]:
    """Pictures of a moving clip."""
    return [codec.Raster.from_planes(*moving_picture(number)) for number in range(first, end)]


def coded(lengths: list[int], threads: int = 1) -> Coded:
    """A batch of chunks of these lengths."""
    opened = opened_batch(lengths, OPTIONS, threads)
    between = []
    start = 0
    for number, length in enumerate(lengths):
        first, end = start + (number == 0), start + length - (number < len(lengths) - 1)
        between.append(encode_between(opened[number], rasters(first, end), OPTIONS))
        start += length
    return [one.anchors for one in opened], between


def opened_batch(lengths: list[int], options: EncodeOptions, threads: int = 1) -> list[Opened]:
    """The chunks of a batch, ready for their ordinary frames."""
    ahead = Lookahead(rasters(0, sum(lengths)), lengths, options.crf, threads)
    return list(encode_anchors(ahead, lengths, options, threads))


@pytest.mark.parametrize(
    "lengths", [[1], [2], [3], [5, 5, 2], [5, 1, 4], [1, 1, 1], [1, 4], [2, 3]]
)
def test_every_picture_is_shown_once_and_looks_like_its_source(lengths: list[int]) -> None:
    """If this fails, frames are lost or doubled, or drift from what they were coded against."""
    joined = list(join_anchored(*coded(lengths)))
    state = None
    pictures = []
    for part, length in zip(joined, lengths, strict=True):
        assert sum(map(is_shown, part.frames)) == length
        for frame in part.frames:
            state, decoded = codec.decode(state, frame)
            if is_shown(frame):
                pictures.append(decoded.i420())
        assert state is not None
        assert state.digest() == part.digest
    frames = [frame for part in joined for frame in part.frames]
    assert [is_key_frame(frame) for frame in frames] == [True] + [False] * (len(frames) - 1)
    errors = [mean_error(one, moving_picture(number)) for number, one in enumerate(pictures)]
    assert max(errors) < 4


def test_an_anchor_is_shown_exactly_as_it_was_coded_ahead() -> None:
    """If this fails, the next chunk refers to another picture than its worker had."""
    anchors, between = coded([5, 5, 5])
    state = None
    for part, one in list(zip(join_anchored(anchors, between), anchors, strict=True))[:-1]:
        assert not is_shown(one.opening[-1])
        ahead = None
        for frame in part.frames:
            state, decoded = codec.decode(state, frame)
            ahead = ahead if is_shown(frame) else decoded
        assert decoded == ahead


def test_threads_do_not_change_the_anchors() -> None:
    """If this fails, results depend on the memory of a function."""
    assert coded([4, 4, 3], threads=1) == coded([4, 4, 3], threads=3)


def test_a_frame_that_shows_something_else_than_the_anchor_is_refused() -> None:
    """If this fails, a batch with pictures that drift is taken for good."""
    (first, second), between = coded([4, 4])
    wrong = replace(first, closing=[between[0].frames[1]])
    with pytest.raises(SeamMismatch):
        list(join_anchored([wrong, second], between))


def test_a_damaged_chunk_is_refused() -> None:
    """If this fails, damage in the store ends up in the film."""
    anchors, between = coded([4, 4])
    between[1].frames[0] = between[1].frames[0][:12]
    with pytest.raises(SeamMismatch):
        list(join_anchored(anchors, between))


def test_a_chunk_made_for_other_anchors_is_refused() -> None:
    """If this fails, a worker that read anchors of an earlier attempt spoils the film unseen."""
    anchors, between = coded([4, 4])
    others = opened_batch([4, 4], replace(OPTIONS, crf=40))
    made = encode_between(others[1], rasters(4, 7), OPTIONS)
    with pytest.raises(SeamMismatch, match="chunk 1 was not made for the state before it"):
        list(join_anchored(anchors, [between[0], made]))


def test_probabilities_run_through_the_whole_batch() -> None:
    """If this fails, each frame pays for probabilities that it could have from the one before."""
    anchors, between = coded([6, 6, 6])
    joined = list(join_anchored(anchors, between))
    # The last chunk has no anchor.
    first = [*(one.opening[0] for one in anchors[:-1]), between[-1].frames[0]]
    in_place = [part.frames[0] for part in joined]
    assert in_place[0] == first[0]

    def tokens(frame: bytes) -> bytes:
        return frame[3 + codec.read_header(frame).first_partition_size :]

    for made, written in zip(first[1:], in_place[1:], strict=True):
        assert made != written
        assert tokens(made) == tokens(written)


@pytest.mark.parametrize(
    ("frames", "length", "x"),
    [(1, 12, 8), (2, 12, 8), (27, 4, 3), (13, 4, 3), (9, 4, 1), (12, 1, 5)],
    ids=["one frame", "two frames", "short last chunk", "last batch of one frame", "batches of one "
         "chunk", "chunks of one frame"],
)  # fmt: skip
def test_odd_shapes(tmp_path: Path, frames: int, length: int, x: int) -> None:
    """If this fails, films of some lengths cannot be encoded."""
    source = Clip(frames=frames).write(tmp_path / "a.mp4")
    options = EncodeOptions(chunk_frames=length, batch_chunks=x, crf=20)
    output = tmp_path / "a.webm"
    result = encode_file(str(source), output, options, workers=2)
    pictures = check_plays_alike(output)
    assert len(pictures) == result.frames == frames
    assert key_frames(output) == result.key_frames == -(-frames // (length * x))
    for number, picture in enumerate(pictures):
        assert mean_error(picture, moving_picture(number)) < 5, number


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job whose objects were kept: two batches of several shares; the last chunk is one frame."""
    folder = tmp_path_factory.mktemp("kept")
    source = Clip(frames=21).write(folder / "a.mp4")
    options = EncodeOptions(chunk_frames=5, batch_chunks=3, crf=20)
    by_hand = JobByHand(source, options, DirectoryStore(folder / "job"))
    by_hand.run(shares=3)
    return by_hand.job


def test_the_plan_says_what_is_done_with_each_batch(kept: Job) -> None:
    """If this fails, steps of one batch follow different modes."""
    assert [batch.mode for batch in kept.plan.batches] == ["anchors", "anchors"]
    stored = json.loads(kept.store.get(kept.keys.plan))
    assert [batch["mode"] for batch in stored["batches"]] == ["anchors", "anchors"]


def test_the_pieces_are_what_the_records_say(kept: Job) -> None:
    """If this fails, a worker of another machine cannot make sense of a batch's anchors."""
    batch = kept.plan.batches[1]
    record = kept.finished(kept.keys.anchors(1), AnchorsRecord)
    assert record is not None
    assert (record.opening, record.closing) == ([2, 0], [1, 0])
    shapes = [(len(one.opening), len(one.closing)) for one in stored_anchors(kept, batch)[0]]
    assert shapes == [(2, 1), (0, 0)]
    key = kept.keys.share(1, 2, 1)
    [(_, frame)] = frames_of(kept.store.get(key))
    share = kept.finished(key, ShareRecord)
    assert share is not None
    assert (share.chunks, len(share.digests)) == ([1], 1)
    assert share.size == len(kept.store.get(key)) == 32 + 12 + len(frame)


def test_a_chunk_may_have_no_ordinary_frames(tmp_path: Path) -> None:
    """If this fails, the worker of such a chunk fails, or join waits for what it never wrote."""
    source = Clip(frames=3).write(tmp_path / "a.mp4")
    options = EncodeOptions(chunk_frames=2, batch_chunks=2, crf=20)
    by_hand = JobByHand(source, options, DirectoryStore(tmp_path / "job"))
    by_hand.run(shares=2)
    key = by_hand.job.keys.share(0, 2, 0)  # the key frame and the anchor
    assert frames_of(by_hand.job.store.get(key)) == []
    empty = by_hand.job.finished(key, ShareRecord)
    assert empty is not None
    assert (empty.chunks, empty.digests, empty.size) == ([0], [""], 32)
    (tmp_path / "a.ivf").write_bytes(by_hand.result)
    assert len(check_plays_alike(tmp_path / "a.ivf")) == 3


def test_hidden_frames_are_those_of_the_anchors(kept: Job, tmp_path: Path) -> None:
    """If this fails, players show frames that were only coded ahead."""
    path = tmp_path / "a.ivf"
    path.write_bytes(kept.store.get(kept.keys.result("ivf")))
    assert sum(not is_shown(frame) for frame in read_file(path).frames) == 3


def test_anchors_of_another_plan_are_refused(kept: Job) -> None:
    """If this fails, chunks are coded against pictures of another film."""
    key = kept.keys.anchors(0)
    record = json.loads(kept.store.get(Keys.record(key)))
    kept.store.put(Keys.record(key), json.dumps({**record, "plan": "other"}).encode())
    with pytest.raises(PlanMismatch, match="anchors of batch 0"):
        stored_anchors(kept, kept.plan.batches[0])
    kept.store.put(Keys.record(key), json.dumps(record).encode())
