"""The sound of batches, of packets that were stored before the batches were known."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from fractions import Fraction

import pytest

from excamera.errors import PlanMismatch
from excamera.job.batches import Batch, Chunk
from excamera.job.geometry import Geometry
from excamera.job.objects import Job, Keys
from excamera.job.options import EncodeOptions
from excamera.job.plan import Plan, SourceFile
from excamera.job.records import SEGMENT_MS, AudioRecord, TrackRecord
from excamera.media.container.webm import AUDIO_TRACK, Block, of_track
from excamera.media.container.webm_output import WebM
from excamera.media.segments import between, pack, span
from excamera.steps.sound import sound_of, with_sound
from mu import MemoryStore

CONTAINER = WebM()


def blocks_of(rng: random.Random, seconds: int, *, disordered: bool = False) -> list[Block]:
    blocks = []
    at = rng.choice([0, 5, 31_000])
    while not blocks or at < 1000 * seconds:
        late = rng.randrange(40) if disordered and rng.random() < 0.1 else 0
        data = rng.randbytes(rng.randrange(1, 12))
        blocks.append(Block(AUDIO_TRACK, max(0, at - late), data, key=True))
        # A pause may be longer than a segment.
        at += 20 if rng.random() < 0.999 else rng.randrange(100_000)
    blocks[-1] = replace(blocks[-1], discard_ns=13_000_000)
    return blocks


def plan_of(starts_ms: list[int], end_ms: int) -> Plan:
    batches = tuple(
        Batch(number, (Chunk(0, number, (start,), (start,)),), "anchors")
        for number, start in enumerate(starts_ms)
    )
    return Plan(
        source=SourceFile("film", 0, path="/film", audio_streams=(1,)),
        geometry=Geometry(16, 16),
        time_base=Fraction(1, 1000),
        origin_s=Fraction(0),
        end=end_ms,
        container="webm",
        options=EncodeOptions(),
        batches=batches,
    )


def stored(blocks: list[Block], plan: Plan) -> tuple[MemoryStore, Keys]:
    store, keys = MemoryStore(), Keys("j")
    data, segments = pack(blocks)
    tracks = [TrackRecord(blocks=len(blocks))]
    record = AudioRecord(plan=plan.uncut().digest, segments=segments, tracks=tracks)
    store.put(keys.audio, data)
    store.put(keys.record(keys.audio), record.to_json())
    for batch in plan.batches:
        store.put(keys.part(batch.number), plan.part(batch).to_json())
    return store, keys


@pytest.mark.parametrize("seed", range(30))
def test_the_runs_of_all_batches_are_the_whole_track(seed: int) -> None:
    """If this fails, results lose sound at the seams of batches or segments, or play it twice."""
    rng = random.Random(seed)
    blocks = blocks_of(rng, rng.choice([1, 40, 100, 400]), disordered=seed % 3 == 0)
    end_ms = max(2, blocks[-1].time_ms + rng.randrange(-2000, 50_000))
    some = [rng.randrange(1, end_ms) for _ in range(rng.randrange(6))]
    starts = sorted({rng.choice([0, 700]) % end_ms, *some, *(some and [SEGMENT_MS])})
    plan = plan_of(starts, max(end_ms, starts[-1] + 1))
    store, keys = stored(blocks, plan)
    found = b""
    for batch in plan.batches:
        job = Job.load(store, keys.job, batch.number)
        picture = b"<%d>" % batch.number
        data, cues = with_sound(job, batch, CONTAINER, picture, [[starts[batch.number], 0]])
        assert data[cues[0][1] :].startswith(picture)
        found += data
    assert found == in_order(blocks, plan)


def in_order(blocks: list[Block], plan: Plan) -> bytes:
    """The runs by going through the whole track once."""
    starts = [batch.pts[0] for batch in plan.batches]
    whole, at = b"", 0
    for number, end in enumerate([*starts[1:], plan.end, None]):
        first = at
        while at < len(blocks) and (end is None or blocks[at].time_ms < end):
            at += 1
        start = starts[number] if number < len(starts) else None
        whole += CONTAINER.sound(blocks[first:at], start)
        whole += b"<%d>" % number if number < len(starts) else b""
    return whole


@pytest.mark.parametrize("seed", range(10))
def test_each_of_several_tracks_keeps_its_packets(seed: int) -> None:
    """If this fails, packets of two sound tracks are mixed up, lost, or out of order."""
    rng = random.Random(seed)
    tracks = [of_track(blocks_of(rng, 60, disordered=seed % 2 == 0), place) for place in range(3)]
    data, segments = pack([block for track in tracks for block in track])
    borders = [None, 700, SEGMENT_MS, SEGMENT_MS + 5, 47_000, None]
    found: list[Block] = []
    for begin_ms, end_ms in itertools.pairwise(borders):
        numbers, offset, size = span(segments, begin_ms, end_ms)
        found += between(data[offset : offset + size], numbers, begin_ms, end_ms)
    for place, track in enumerate(tracks):
        assert [one for one in found if one.track == AUDIO_TRACK + place] == track


def test_a_batch_reads_the_segments_around_it_only() -> None:
    """If this fails, workers read more sound the longer the film is."""
    blocks = [Block(AUDIO_TRACK, at, b"packet", key=True) for at in range(0, 600_000, 20)]
    data, segments = pack(blocks)
    numbers, offset, size = span(segments, 45_000, 49_000)
    assert numbers == [1]
    assert size < len(data) / 10
    found = between(data[offset : offset + size], numbers, 45_000, 49_000)
    assert found == [one for one in blocks if 45_000 <= one.time_ms < 49_000]


def test_the_sound_of_another_plan_is_refused() -> None:
    """If this fails, a batch gets the sound of another film that had the same job directory."""
    plan = plan_of([0, 500], 1000)
    store, keys = stored(blocks_of(random.Random(1), 1), plan)
    assert sound_of(Job.load(store, keys.job, 1)) is not None
    other = replace(plan, source=replace(plan.source, fingerprint="other"))
    with pytest.raises(PlanMismatch, match="sound"):
        sound_of(Job(store, keys, other))
    store.delete(keys.record(keys.audio))
    with pytest.raises(PlanMismatch, match="sound"):
        sound_of(Job(store, keys, plan))
