"""Batches that follow the scenes of a film, through the whole pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from codec import is_key_frame, is_shown
from excamera.cli import main
from excamera.job import plan as plans
from excamera.job.objects import Job
from excamera.job.options import EncodeOptions
from excamera.job.plan import Plan
from excamera.local import encode_file
from excamera.media.playback import read_file
from excamera.steps import plan
from mu import Context, DirectoryStore, Event, MemoryStore
from tests.pipeline.clips import check_plays_alike
from tests.support.scenes import film, flash, pan, still, zoom

SCENES = [*pan(1, 17), *still(2, 23), *zoom(3, 14), *flash(4, 20, 9)]
BEGIN = [0, 17, 40, 54]

SHORT = [still(seed, 7) for seed in range(5)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of four scenes."""
    return film(tmp_path_factory.mktemp("scenes") / "a.mp4", SCENES)


def planned(source: Path, options: EncodeOptions, **limits: int) -> tuple[Plan, Event]:
    """The plan of a film, and the result of its step."""
    context = Context(MemoryStore())
    event = {
        "job": "j",
        "input": {"name": source.name, "path": str(source)},
        "container": "webm",
        "options": options.to_json(),
        "limits": limits,
    }
    result = plan(event, context)
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
        made, told = planned(source, EncodeOptions(mode=mode), concurrency=15)
        lengths = [len(batch.chunks) for batch in made.batches]
        assert max(lengths) == most == told["most_chunks"]
        assert told["batches_at_once"] == 14 // most
    # Nothing moves in the second scene.
    made, _ = planned(source, EncodeOptions())
    assert [len(chunk.pts) for chunk in made.batches[1].chunks] == [24, 24, 24, 8]


def test_a_given_n_cuts_all_batches_alike(source: Path) -> None:
    """If this fails, ExCamera[N, x] is no longer what it says."""
    expected = [(0, [12, 12, 12]), (36, [12, 12, 12]), (72, [2])]
    assert batches(source, EncodeOptions(chunk_frames=12, batch_chunks=3)) == expected


@pytest.mark.parametrize("name", ["a.mp4", "a.264"])
def test_a_long_film_is_not_surveyed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, the plan of a long film takes longer than a function may run."""
    source = film(tmp_path / name, SCENES, "h264" if name == "a.264" else None)
    size = planned(source, EncodeOptions(chunk_frames=1))[0].geometry
    megapixels = len(SCENES) * size.width * size.height / 1_000_000
    monkeypatch.setattr(plans, "SURVEYED_MEGAPIXELS", megapixels * 0.99)
    assert batches(source) == [(0, [12, 12, 12, 12, 12, 12, 2])]
    monkeypatch.setattr(plans, "SURVEYED_MEGAPIXELS", megapixels)
    assert [first for first, _ in batches(source)] == BEGIN
