"""Cutting into chunks and batches, seek points, timestamps, options."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

from excamera.job.batches import Batch, Chunk, mode_of_batch
from excamera.job.cut import (
    LEAD_IN,
    SPAN_PIXELS,
    USUAL_BATCH,
    Frames,
    Survey,
    cut,
    span_to_read,
    spans,
)
from excamera.job.encoders import VpxSettings
from excamera.job.geometry import Geometry
from excamera.job.objects import Job, Keys
from excamera.job.options import EncodeOptions
from excamera.job.packing import Packing
from excamera.job.plan import Plan, SourceFile
from excamera.job.records import ShareRecord
from excamera.media.source.clock import Clock
from excamera.media.source.index import Entry, make_index
from excamera.media.source.recording import Shown, display_times
from mu import Context, MemoryStore


def cut_all(times: list[int], options: EncodeOptions, survey: Survey | None = None) -> list[Batch]:
    """The batches of frames with these timestamps."""
    return list(cut(Frames(times, times, [()] * len(times)), options, survey))


def batches(count: int, length: int, x: int, pts: list[int] | None = None) -> list[Batch]:
    """Batches of `count` frames."""
    times = pts or list(range(count))
    options = EncodeOptions(chunk_frames=length, batch_chunks=x)
    return cut_all(times, options)


def plan(**more: object) -> Plan:
    """A small plan with some fields changed."""
    fields: dict[str, object] = {
        "source": SourceFile("a", 0, path="/a"),
        "geometry": Geometry(16, 16),
        "time_base": Fraction(1, 30000),
        "origin_s": Fraction(0),
        "end": 7 * 1001,
        "container": "webm",
        "options": EncodeOptions(),
        "batches": tuple(batches(7, 3, 2, [n * 1001 for n in range(7)])),
    }
    return Plan(**(fields | more))  # type: ignore[arg-type]


def test_the_last_chunk_and_batch_may_be_short() -> None:
    """If this fails, frames at the end are lost or doubled."""
    made = batches(20, 3, 3)
    assert [[len(c.pts) for c in batch.chunks] for batch in made] == [[3, 3, 3], [3, 3, 3], [2]]
    assert [p for batch in made for p in batch.pts] == list(range(20))
    assert [c.first_frame for batch in made for c in batch.chunks] == [0, 3, 6, 9, 12, 15, 18]


class Known:
    """A survey with given cuts, and one N for all batches that begin at a frame or later."""

    def __init__(self, cuts: list[int], lengths: dict[int, int] | None = None) -> None:
        self._cuts = cuts
        self._lengths = lengths or {0: 12}

    def cuts(self) -> list[int]:
        return self._cuts

    def chunk_frames(self, first: int, end: int) -> int:
        assert first < end
        return self._lengths[max(start for start in self._lengths if start <= first)]


def lengths(count: int, options: EncodeOptions, survey: Known | None) -> list[list[int]]:
    """Frames of each chunk of each batch; checks that no frame is lost."""
    times = list(range(count))
    made = cut_all(times, options, survey)
    assert [pts for batch in made for pts in batch.pts] == times
    assert [batch.number for batch in made] == list(range(len(made)))
    return [[len(chunk.pts) for chunk in batch.chunks] for batch in made]


def test_batches_begin_where_scenes_do() -> None:
    """If this fails, a chunk refers to pictures of another scene."""
    found = lengths(60, EncodeOptions(), Known([7, 31]))
    assert found == [[7], [12, 12], [12, 12, 5]]
    assert lengths(20, EncodeOptions(mode="rebase"), Known([13])) == [[6, 6, 1], [6, 1]]
    assert lengths(1, EncodeOptions(), Known([])) == [[1]]


def test_a_long_scene_is_split_evenly() -> None:
    """If this fails, one short batch pays for a key frame that few pictures use."""
    found = lengths(200, EncodeOptions(batch_chunks=8), Known([]))
    assert found == [[12] * 5, [12] * 6, [*[12] * 5, 8]]
    for count in range(1, 400):
        for x in (1, 3, 8):
            for length in (6, 12, 24):
                options = EncodeOptions(batch_chunks=x)
                sizes = [sum(one) for one in lengths(count, options, Known([], {0: length}))]
                assert len(sizes) == -(-count // options.lengths.longest_batch)
                assert max(sizes) <= options.lengths.longest_batch
                assert max(sizes) - min(sizes) <= 24


def test_each_batch_has_its_own_n() -> None:
    """If this fails, fast scenes have anchors that are too far apart, or slow ones too many."""
    found = lengths(100, EncodeOptions(), Known([30, 80], {0: 6, 30: 24, 80: 12}))
    assert found == [[6] * 5, [24, 24, 2], [12, 8]]
    # The published method has one N, and a batch of one chunk has nothing to join.
    slow = Known([], {0: 24})
    assert lengths(24, EncodeOptions(mode="rebase"), slow) == [[6] * 4]
    assert lengths(24, EncodeOptions(batch_chunks=1), slow) == [[12], [12]]


def test_the_longest_batch() -> None:
    """If this fails, batches are longer than their steps can take, or key frames too many."""
    for options, frames, longest, chunks in (
        (EncodeOptions(), 12, 192, 16),
        (EncodeOptions(batch_chunks=8), 12, 96, 8),
        (EncodeOptions(mode="rebase"), 6, 96, 16),
        (EncodeOptions(chunk_frames=7, batch_chunks=3), 7, 21, 3),
        (EncodeOptions(chunk_frames=5, mode="rebase"), 5, 80, 16),
        (EncodeOptions(batch_chunks=1000), 12, 6000, 500),
    ):
        lengths = options.lengths
        found = (lengths.usual_frames, lengths.longest_batch, lengths.usual_chunks)
        assert found == (frames, longest, chunks)


def test_without_a_survey_all_batches_are_equal() -> None:
    """If this fails, films that are not surveyed are cut in another way than estimated."""
    assert lengths(230, EncodeOptions(), None) == [[12] * 16, [12, 12, 12, 2]]
    fixed = EncodeOptions(chunk_frames=12, batch_chunks=16)
    assert lengths(230, fixed, None) == lengths(230, EncodeOptions(), None)


def test_the_spans_of_a_film() -> None:
    """If this fails, a film is surveyed by one worker for minutes, or by many for nothing."""
    hd, options = 1920 * 1080, EncodeOptions()
    most = 2 * SPAN_PIXELS // hd
    assert spans(most, hd, options) == []
    assert len(spans(most + 1, hd, options)) > 1
    assert spans(100_000, hd, EncodeOptions(chunk_frames=12)) == []
    assert len(spans(100_000, hd, EncodeOptions(mode="rebase"))) > 400
    assert spans(120, 10 * SPAN_PIXELS, options) == []  # too short to divide
    # A minute of any large size keeps the processors of a usual machine busy.
    for pixels in (1280 * 720, hd, 4 * hd):
        assert 8 <= len(spans(1800, pixels, options)) <= 1800 // USUAL_BATCH
    for frames, pixels in ((1800, hd), (14_400, hd), (5_000_000, hd), (7_777_777, 4 * hd)):
        found = spans(frames, pixels, options)
        assert [first for first, _ in found[1:]] == [end for _, end in found[:-1]]
        assert (found[0][0], found[-1][1], len(found) <= 1000) == (0, frames, True)
        lengths = {end - first for first, end in found}
        assert max(lengths) - min(lengths) <= USUAL_BATCH
        assert all(first % USUAL_BATCH == 0 for first, _ in found)
        assert min(lengths) > LEAD_IN


def test_no_span_is_empty() -> None:
    """If this fails, a few seconds of a very large picture cannot be encoded."""
    assert spans(2 * USUAL_BATCH - 1, 10 * SPAN_PIXELS, EncodeOptions()) == []
    for frames in range(2 * USUAL_BATCH, 1000):
        found = spans(frames, 10 * SPAN_PIXELS, EncodeOptions())
        assert (found[0][0], found[-1][1]) == (0, frames)
        # As short as they can be, so that nobody waits for a longer one.
        assert all(USUAL_BATCH <= end - first < 2 * USUAL_BATCH for first, end in found)


def test_a_span_is_read_with_what_leads_in() -> None:
    """If this fails, the first pictures of a span are compared with nothing or with others."""
    times = [0, 1, 1, 1, *range(4, 100)]
    frames = Frames(times, times, [()] * len(times))
    [own] = span_to_read(frames, 0, 50)
    assert (own.first_frame, len(own.pts)) == (0, 50)
    lead, own = span_to_read(frames, 50, 100)
    assert (lead.first_frame, len(lead.pts)) == (50 - LEAD_IN, LEAD_IN)
    assert (own.first_frame, len(own.pts)) == (50, 50)
    lead, own = span_to_read(frames, 3, 100)
    assert (lead.first_frame, own.first_frame, own.skip) == (0, 3, 2)


def test_frames_with_equal_timestamps_are_told_apart() -> None:
    """If this fails, a chunk that begins among duplicates takes its neighbour's frame."""
    made = batches(6, 2, 9, [0, 5, 5, 5, 5, 9])
    assert [chunk.skip for chunk in made[0].chunks] == [0, 1, 3]


def test_ordinary_frames_are_those_that_are_not_coded_ahead() -> None:
    """If this fails, a worker of mode anchors reads and encodes the wrong pictures."""

    def ordinary(batch: Batch) -> list[Chunk]:
        return [batch.ordinary(chunk) for chunk in batch.chunks]

    [batch] = batches(10, 4, 3)
    assert [list(one.pts) for one in ordinary(batch)] == [[1, 2], [4, 5, 6], [8, 9]]
    assert [one.first_frame for one in ordinary(batch)] == [1, 4, 8]
    assert [list(one.pts) for one in ordinary(batches(3, 1, 3)[0])] == [[], [], [2]]
    assert ordinary(batches(1, 4, 3)[0])[0].pts == ()
    # Among equal timestamps it counts how many go before.
    for times, skip in (([5, 5, 5, 5, 9, 9], 1), ([0, 5, 5, 5, 9, 9], 0)):
        assert ordinary(batches(6, 3, 2, times)[0])[0].skip == skip
    assert ordinary(batches(6, 3, 2, [0, 0, 5, 5, 5, 9])[0])[1].skip == 1


def test_the_mode_of_a_batch() -> None:
    """If this fails, a job does not do what its option says."""
    for mode, done in (("auto", "anchors"), ("anchors", "anchors"), ("rebase", "rebase")):
        options = EncodeOptions(mode=mode)
        assert mode_of_batch(options) == done
        assert [one.mode for one in cut_all([0], options)] == [done]


def test_seek_points_never_lie_after_what_is_needed() -> None:
    """If this fails, pictures shown before their key frame (open GOP) cannot be decoded."""
    # Decoding order of an open GOP: I0 P3 B1 B2 I6 B4 B5 P9 B7 B8.
    entries = [Entry(p, p in (0, 6)) for p in (0, 3, 1, 2, 6, 4, 5, 9, 7, 8)]
    index = make_index(entries, Fraction(1, 25), Fraction(25))
    assert index.pts == list(range(10))
    assert [s[:1] for s in index.seeks] == [()] * 6 + [(6,)] * 4
    assert index.end == 10


def test_missing_timestamps_follow_the_frame_rate() -> None:
    """If this fails, raw streams play at a wrong speed."""
    frames = [Shown((number, 0)) for number in range(3)]
    rate = Fraction(1, 100), Fraction(30)
    assert display_times(frames, [None] * 3, None, Clock(), *rate) == ([0, 3, 7], 10)
    frames = [Shown((number, 0), duration=4) for number in range(4)]
    times = [10, None, 5, 40]
    rate = Fraction(1, 100), Fraction(25)
    assert display_times(frames, times, None, Clock(), *rate) == ([5, 9, 10, 40], 44)


def test_a_plan_survives_its_json() -> None:
    """If this fails, workers see another plan than was made."""
    made = plan(geometry=Geometry(16, 9, 1, True, (4, 3), 1, 13, 9))
    again = Plan.from_json(made.to_json())
    assert again == made
    assert again.digest == made.digest


def test_the_digest_is_of_what_decides_the_bytes() -> None:
    """If this fails, stale pieces are reused, or good ones thrown away."""
    base = plan().digest
    assert plan(source=SourceFile("b", 0, path="/elsewhere")).digest == base
    for other in (
        plan(options=EncodeOptions(crf=25)),
        plan(options=EncodeOptions(vpx=VpxSettings(key_frame_q_offset=-1))),
        plan(geometry=Geometry(16, 18)),
        plan(container="ivf"),
        plan(source=SourceFile("a", 0, path="/a", fingerprint="other")),
        plan(end=7008),
    ):
        assert other.digest != base


def test_milliseconds_are_rounded_half_up() -> None:
    """If this fails, WebM timestamps are off by one against other muxers."""
    made = plan()
    assert [made.milliseconds(p) for p in (0, 1001, 2002, 15)] == [0, 33, 67, 1]


def test_a_piece_counts_as_finished_only_for_its_own_plan() -> None:
    """If this fails, a retry takes a half-done or foreign piece for its own."""
    store, keys = MemoryStore(), Keys("j")
    job, other = Job(store, keys, plan()), Job(store, keys, plan(end=9_000_000))
    key = keys.share(0, 2, 0)
    made = []

    def make() -> tuple[bytes, ShareRecord]:
        made.append(key)
        return b"x", ShareRecord(chunks=[6], digests=[""])

    store.put(key, b"x")
    assert job.finished(key, ShareRecord) is None
    record = job.once(key, ShareRecord, make, Context(store))
    assert (record.plan, record.size, record.chunks) == (job.plan.digest, 1, [6])
    assert job.once(key, ShareRecord, make, Context(store)) == record
    assert len(made) == 1
    assert other.finished(key, ShareRecord) is None
    store.put(key, b"longer")
    assert job.finished(key, ShareRecord) is None


def test_a_record_of_another_version_does_not_count() -> None:
    """If this fails, a job that continues after an upgrade fails at its own old records."""
    store, keys = MemoryStore(), Keys("j")
    job = Job(store, keys, plan())
    store.put(keys.share(0, 2, 0), b"x")
    old = {"plan": job.plan.digest, "size": 1, "chunks": [6]}
    store.put(Keys.record(keys.share(0, 2, 0)), json.dumps(old).encode())
    assert job.finished(keys.share(0, 2, 0), ShareRecord) is None
    new = {**old, "digests": [""], "weight": 3}
    store.put(Keys.record(keys.share(0, 2, 0)), json.dumps(new).encode())
    assert job.finished(keys.share(0, 2, 0), ShareRecord) == ShareRecord(
        plan=job.plan.digest, size=1, chunks=[6], digests=[""]
    )


def test_keys_are_functions_of_numbers() -> None:
    """If this fails, steps look for each other's objects in the wrong place."""
    keys = Keys("7")
    assert keys.plan == "jobs/7/plan.json"
    assert keys.share(1, 4, 2) == "jobs/7/shares/000001/0004/0002.ivf"
    assert keys.record(keys.cluster(3)) == "jobs/7/batches/000003.json"


def test_a_batch_is_planned_alike_in_its_part_and_in_the_whole() -> None:
    """If this fails, a batch is encoded otherwise than the plan that is stitched says."""
    made, store, keys = plan(), MemoryStore(), Keys("j")
    Job(store, keys, made).save(Packing(2, 1, 1))
    whole = Job.load(store, keys.job).plan
    assert whole == made
    assert [whole.is_last(batch) for batch in whole.batches] == [False, True]
    for number, batch in enumerate(whole.batches):
        part = Job.load(store, keys.job, number).plan
        assert part.batch(number) == whole.batch(number) == batch
        assert part.digest == whole.digest
        assert part.is_last(batch) == whole.is_last(batch)
        assert replace(part, batches=whole.batches, whole=None) == whole


def test_what_a_worker_reads_of_the_plan_does_not_grow_with_the_film() -> None:
    """If this fails, a job's reads grow with the square of the film's length."""
    sizes = []
    for frames in (600, 60_000):
        options = EncodeOptions(chunk_frames=6, batch_chunks=16)
        times = [1501 * n for n in range(frames)]
        made = plan(batches=tuple(cut_all(times, options)))
        store, keys = MemoryStore(), Keys("j")
        Job(store, keys, made).save(Packing(2, 1, 1))
        sizes.append(store.size(keys.part(1)))
    assert sizes[1] < sizes[0] * 1.2
