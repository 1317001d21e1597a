"""Joining chunks, beneath the pipeline: hidden frames, threads, and seams that do not fit."""

from __future__ import annotations

from typing import Any

import pytest

import codec
from codec import is_key_frame, is_shown
from excamera.errors import ChunkError, SeamMismatch
from excamera.job.options import EncodeOptions
from excamera.media.chunk_encoder import check_chunk, encode_chunk
from excamera.media.codecs import VP8
from excamera.media.container import webm, webm_reader
from excamera.media.container.protocol import stamped
from excamera.media.join import JoinedChunk, SourceChunk, Timings, join
from excamera.media.source.picture import frame_of
from tests.pipeline.clips import moving_picture

OPTIONS = EncodeOptions(crf=20)


def chunk(first: int, count: int) -> SourceChunk:
    """Pictures `first`, ... as a chunk."""
    pictures = [moving_picture(first + number) for number in range(count)]
    rasters = [codec.Raster.from_planes(*planes) for planes in pictures]
    return SourceChunk(encode_chunk(map(frame_of, pictures), OPTIONS), rasters)


def hide(whole: SourceChunk, number: int) -> SourceChunk:
    """The same chunk with one frame hidden, as an altref frame is."""
    frame = whole.coded[number]
    hidden = bytes([frame[0] & ~0x10]) + frame[1:]
    coded = [*whole.coded[:number], hidden, *whole.coded[number + 1 :]]
    pictures = [*whole.pictures[:number], *whole.pictures[number + 1 :]]
    return SourceChunk(coded, pictures)


def joined(chunks: list[SourceChunk], threads: int = 2) -> list[JoinedChunk]:
    """All chunks joined."""
    return list(join(chunks, OPTIONS.first_frame_qi, threads, Timings()))


def test_threads_do_not_change_the_bytes() -> None:
    """If this fails, results depend on how busy the machine is."""
    chunks = [chunk(3 * number, 3) for number in range(8)]
    assert joined(chunks, 1) == joined(chunks, 4)


def test_hidden_frames_stay_hidden_and_are_rebased() -> None:
    """If this fails, altref frames are shown, or drift from what refers to them."""
    chunks = [hide(chunk(5 * number, 5), 2) for number in range(3)]
    results = joined(chunks)
    state = None
    errors = []
    for part, source in zip(results, chunks, strict=True):
        assert [is_shown(frame) for frame in part.frames] == [True, True, False, True, True]
        pictures = iter(source.pictures)
        for frame in part.frames:
            decoded = codec.decode(state, frame)
            state = decoded.state
            if is_shown(frame):
                ours, theirs = decoded.raster.i420(), next(pictures).i420()
                errors.append(sum(abs(a - b) for a, b in zip(ours, theirs, strict=True)))
        assert state is not None
        assert state.digest() == part.digest
    assert max(errors) < 4 * 96 * 64 * 3 // 2
    assert sum(is_key_frame(frame) for part in results for frame in part.frames) == 1


def test_hidden_frames_have_the_time_of_the_next_shown_one() -> None:
    """If this fails, hidden frames break the order of timestamps in a file."""
    frames = hide(chunk(0, 4), 2).coded
    check_chunk(frames, 3)
    stamps = stamped(frames, (0, 40, 80), VP8)
    assert [pts for pts, _ in stamps] == [0, 40, 80, 80]
    blocks = [
        webm.Block(webm.VIDEO_TRACK, pts, frame, is_key_frame(frame), not is_shown(frame))
        for pts, frame in stamps
    ]
    data = b"".join(cluster.data for cluster in webm.clusters(blocks))
    front = webm.front(120, webm.VideoTrack(96, 64), [], [(len(data), [])])
    frames_read = webm_reader.parse(front + data)
    assert [frame.invisible for frame in frames_read] == [False, False, True, False]


def test_a_seam_that_does_not_fit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a wrong rebase reaches the result unseen."""
    right = codec.rebase_chunk

    def wrong(state: codec.State, *rest: Any, **options: Any) -> codec.Rebased:
        return codec.Rebased(right(state, *rest, **options).frames, state)

    monkeypatch.setattr(codec, "rebase_chunk", wrong)
    with pytest.raises(SeamMismatch):
        joined([chunk(0, 3), chunk(3, 3)])


@pytest.mark.parametrize("count", [2, 4])
def test_a_chunk_of_another_length_is_refused(count: int) -> None:
    """If this fails, a frame lost by the encoder shifts all that follow."""
    with pytest.raises(ChunkError):
        check_chunk(chunk(0, 3).coded, count)


def test_a_scene_cut_in_a_chunk_makes_no_second_key_frame() -> None:
    """If this fails, a cut in the film breaks the one key frame of a batch."""
    pictures = [moving_picture(n) for n in range(3)]
    pictures += [(255 - y, v, u) for y, u, v in pictures]
    coded = encode_chunk(map(frame_of, pictures), OPTIONS)
    assert [is_key_frame(frame) for frame in coded] == [True] + [False] * 5
