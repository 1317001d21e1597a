"""Batches that follow the scenes of a film, through the whole pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from av.video.frame import VideoFrame

from codec import is_key_frame, is_shown
from excamera.cli import main
from excamera.errors import UnreadableFrame
from excamera.job.batches import Chunk
from excamera.job.encoders import AnchorSettings
from excamera.job.flow import FUNCTIONS, excamera_flow
from excamera.job.objects import Job, Keys
from excamera.job.options import EncodeOptions
from excamera.job.plan import Plan
from excamera.local import encode_file
from excamera.media.playback import read_file
from excamera.media.source.reader import FrameReader
from mu import Context, DirectoryStore, Event, Executor, MemoryStore, Store
from mu.timeline import attempts
from tests.pipeline.clips import check_plays_alike
from tests.support.planning import make_plan
from tests.support.scenes import film, flash, pan, still, zoom

SCENES = [*pan(1, 17), *still(2, 23), *zoom(3, 14), *flash(4, 20, 9)]
BEGIN = [0, 17, 40, 54]

STROBE = [one for seed in range(20, 30) for one in still(seed, 1)]

SHORT = [still(seed, 7) for seed in range(5)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of four scenes."""
    return film(tmp_path_factory.mktemp("scenes") / "a.mp4", SCENES)


def start(source: Path, options: EncodeOptions, **more: object) -> Event:
    """The event that starts the job of a film."""
    given = {"name": source.name, "path": str(source)}
    return {
        "job": "j",
        "input": given,
        "container": "webm",
        "options": options.to_json(),
        "index": "auto",
        **more,
    }


def planned(source: Path, options: EncodeOptions, **more: object) -> tuple[Plan, Event]:
    """The plan of a film, and the result of its step."""
    context = Context(MemoryStore())
    result = make_plan(start(source, options, **more), context)
    return Job.load(context.store, "j").plan, result


def batches(source: Path, options: EncodeOptions | None = None) -> list[tuple[int, list[int]]]:
    """The first frame of each planned batch, and the frames of its chunks."""
    made, _ = planned(source, options or EncodeOptions())
    return [
        (batch.chunks[0].first_frame, [len(chunk.pts) for chunk in batch.chunks])
        for batch in made.batches
    ]


def key_frames(path: Path) -> list[int]:
    """The numbers of the pictures that are key frames."""
    found, shown = [], 0
    for frame in read_file(path).frames:
        if is_key_frame(frame):
            found.append(shown)
        shown += is_shown(frame)
    return found


@pytest.mark.parametrize("mode", ["auto", "rebase"])
def test_key_frames_are_where_scenes_begin(source: Path, tmp_path: Path, mode: str) -> None:
    """If this fails, a scene begins with a frame that is predicted from another scene."""
    output = tmp_path / "a.webm"
    assert main(["encode", str(source), str(output), "--mode", mode]) == 0
    assert key_frames(output) == BEGIN
    assert len(check_plays_alike(output)) == len(SCENES)
    usual = 6 if mode == "rebase" else 12
    for _, lengths in batches(source, EncodeOptions(mode=mode)):
        assert set(lengths[:-1]) <= {usual}
        assert lengths[-1] <= usual


def test_every_short_scene_is_a_batch(tmp_path: Path) -> None:
    """If this fails, cuts that follow each other quickly are missed."""
    source = film(tmp_path / "a.mp4", [one for scene in SHORT for one in scene])
    result = encode_file(str(source), tmp_path / "a.ivf", EncodeOptions(), workers=2)
    assert key_frames(tmp_path / "a.ivf") == [0, 7, 14, 21, 28]
    assert result.key_frames == 5


def test_a_strobe_is_one_batch(tmp_path: Path) -> None:
    """If this fails, a strobe costs a key frame for each picture."""
    source = film(tmp_path / "a.mp4", [one for seed in range(20) for one in still(seed, 1)])
    encode_file(str(source), tmp_path / "a.webm", EncodeOptions(), workers=2)
    assert key_frames(tmp_path / "a.webm") == [0]
    assert len(check_plays_alike(tmp_path / "a.webm")) == 20


@pytest.mark.parametrize("frames", [1, 2])
def test_films_of_a_frame_or_two(tmp_path: Path, frames: int) -> None:
    """If this fails, very short films cannot be encoded."""
    pictures = [one for seed in range(frames) for one in still(seed, 1)]
    result = encode_file(
        str(film(tmp_path / "a.mp4", pictures)), tmp_path / "a.webm", EncodeOptions(), workers=1
    )
    assert (result.frames, result.key_frames) == (frames, 1)


def test_workers_do_not_change_the_bytes(source: Path, tmp_path: Path) -> None:
    """If this fails, two machines make two different files of one film."""
    outputs = []
    for workers in (1, 2):
        outputs.append(tmp_path / f"{workers}.webm")
        encode_file(str(source), outputs[-1], EncodeOptions(), workers=workers)
    assert len({output.read_bytes() for output in outputs}) == 1


def test_the_way_of_indexing_does_not_change_the_batches(source: Path, tmp_path: Path) -> None:
    """If this fails, a film is cut by its container."""
    raw = film(tmp_path / "a.264", SCENES, "h264")
    kept = tmp_path / "job"
    encode_file(str(raw), tmp_path / "a.webm", EncodeOptions(), workers=2, keep_job=kept)
    made = Job.load(DirectoryStore(kept), "local").plan
    assert made.source.indexed_by == "decoding"
    assert batches(raw) == batches(source)
    assert [first for first, _ in batches(raw)] == BEGIN
    assert key_frames(tmp_path / "a.webm") == BEGIN


def test_limits_fit_the_longest_batch_of_the_plan(tmp_path: Path) -> None:
    """If this fails, more functions are called at once than the account allows."""
    source = film(tmp_path / "a.mp4", [*pan(1, 20), *still(2, 80)])
    for mode, most in (("anchors", 4), ("rebase", 14)):
        made, told = planned(source, EncodeOptions(mode=mode), limits={"concurrency": 15})
        lengths = [len(batch.chunks) for batch in made.batches]
        assert max(lengths) == most
        # Each has as many workers as there are for all, if it has chunks for them.
        shares = min(most, 14 // len(lengths))
        assert told["shares"] == sum(min(shares, length) for length in lengths)
        assert told["shares_at_once"] == shares
        assert told["batches_at_once"] == 14 // shares >= len(lengths)
    # Nothing moves in the second scene.
    made, _ = planned(source, EncodeOptions())
    assert [len(chunk.pts) for chunk in made.batches[1].chunks] == [24, 24, 24, 8]


def test_a_given_n_cuts_all_batches_alike(source: Path) -> None:
    """If this fails, ExCamera[N, x] is no longer what it says."""
    expected = [(0, [12, 12, 12]), (36, [12, 12, 12]), (72, [2])]
    assert batches(source, EncodeOptions(chunk_frames=12, batch_chunks=3)) == expected


LONG = [*pan(1, 101), *still(2, 60, noise=2.0), *STROBE, *flash(3, 60, 9), *zoom(4, 108)]
"""Long enough for three spans; the first border is within the first scene."""

CHEAP = EncodeOptions(crf=50, anchors=AnchorSettings(effort=0))

SMALL_SPANS = 1_000_000
"""Pixels of a span of far fewer frames than a span has at least."""


@pytest.fixture(scope="module", params=["a.mp4", "a.264"])
def long_film(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film that is read as it is, or one that has to be indexed by decoding."""
    path = tmp_path_factory.mktemp("long") / request.param
    return film(path, LONG, "h264" if path.suffix == ".264" else None)


@pytest.mark.parametrize("mode", ["auto", "rebase"])
def test_a_film_is_planned_alike_in_spans_and_in_one_piece(long_film: Path, mode: str) -> None:
    """If this fails, a film's bytes depend on who surveyed it."""
    options = EncodeOptions(mode=mode)
    whole, of_whole = planned(long_film, options)
    divided, of_spans = planned(long_film, options, span_pixels=SMALL_SPANS)
    assert (of_whole["spans"], of_spans["spans"]) == (0, 3)
    assert divided == whole
    assert divided.to_json() == whole.to_json()
    assert {101, 231} <= {batch.chunks[0].first_frame for batch in whole.batches}
    fixed = EncodeOptions(chunk_frames=12)
    assert planned(long_film, fixed, span_pixels=SMALL_SPANS)[1]["spans"] == 0


def surveyed(store: Store, source: Path, workers: int) -> bytes:
    """Encodes a film in spans with so many workers; returns the result."""
    event = start(source, CHEAP, span_pixels=SMALL_SPANS)
    with Executor(workers=workers, store=store) as executor:
        run = executor.start(
            excamera_flow(), event, functions=FUNCTIONS, timeline=Keys("j").timeline
        )
        return store.get(run.result()["key"])


def test_processes_survey_a_film_at_once(tmp_path: Path) -> None:
    """If this fails, a long film on this machine is surveyed by one process, or not alike."""
    source = film(tmp_path / "a.mp4", LONG)
    store = DirectoryStore(tmp_path / "job")
    spanned = surveyed(store, source, 2)
    tasks = [one.task for one in attempts(Keys("j").timeline, store.list())]
    assert sorted(task for task in tasks if task.startswith("survey")) == [
        "survey-0", "survey-1", "survey-2",
    ]  # fmt: skip
    encode_file(str(source), tmp_path / "a.webm", CHEAP, workers=2)
    assert (tmp_path / "a.webm").read_bytes() == spanned
    # A job that continues surveys only what is missing.
    store.delete(Keys("j").survey(1))
    before = [store.get(Keys("j").survey(number)) for number in (0, 2)]
    assert surveyed(store, source, 1) == spanned
    assert [store.get(Keys("j").survey(number)) for number in (0, 2)] == before


def test_a_span_that_cannot_be_decoded_leaves_the_film_without_a_survey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, damage is reported by a worker that does not need the picture."""
    source = film(tmp_path / "a.mp4", LONG)
    whole, _ = planned(source, EncodeOptions())

    def damaged(reader: FrameReader, chunk: Chunk) -> Iterator[VideoFrame]:
        if chunk.first_frame <= 150 < chunk.first_frame + len(chunk.pts):
            raise UnreadableFrame("a.mp4: damaged; 150 frames could be read")
        yield from read(reader, chunk)

    read = FrameReader.read
    monkeypatch.setattr(FrameReader, "read", damaged)
    made, told = planned(source, EncodeOptions(), span_pixels=SMALL_SPANS)
    assert told["spans"] == 3
    lengths = [sum(len(chunk.pts) for chunk in batch.chunks) for batch in made.batches]
    assert lengths == [192, len(LONG) - 192]
    assert len(whole.batches) > 2
