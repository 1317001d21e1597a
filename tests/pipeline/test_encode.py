"""The promises of a whole encode, for any source."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import codec
from excamera.job.encoders import VpxSettings
from excamera.job.flow import FUNCTIONS, excamera_flow
from excamera.job.objects import Job, Keys
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from excamera.media.playback import read_file
from mu import DirectoryStore, MemoryStore
from mu.flow import Each, check, walk
from tests.pipeline.by_hand import JobByHand
from tests.pipeline.clips import (
    Clip,
    check_plays_alike,
    decode_ours,
    in_milliseconds,
    key_frames,
    packet_times,
)
from tests.support.shared import SHARED, needs

OPTIONS = EncodeOptions(chunk_frames=4, batch_chunks=3, crf=20)
REBASE = replace(OPTIONS, mode="rebase")

both_modes = pytest.mark.parametrize("options", [OPTIONS, REBASE], ids=["anchors", "rebase"])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short clip with sound and reordered frames."""
    clip = Clip(frames=30, options={"crf": "12", "bf": "2", "g": "9"}, sound="aac")
    return clip.write(tmp_path_factory.mktemp("source") / "a.mp4")


@both_modes
def test_bytes_do_not_depend_on_the_number_of_workers(
    source: Path, tmp_path: Path, options: EncodeOptions
) -> None:
    """If this fails, two machines make two different files of one film."""
    outputs = []
    for workers in (1, 2):
        outputs.append(tmp_path / f"{workers}.webm")
        encode_file(str(source), outputs[-1], options, workers=workers)
    assert len({output.read_bytes() for output in outputs}) == 1


@pytest.mark.parametrize("mode", ["anchors", "rebase"])
@pytest.mark.parametrize(
    ("length", "x", "container"),
    [(1, 1, "webm"), (4, 1, "ivf"), (1, 4, "ivf"), (4, 3, "webm"), (7, 2, "webm"), (50, 50, "ivf")],
)
def test_one_key_frame_a_batch(
    source: Path, tmp_path: Path, mode: str, length: int, x: int, container: str
) -> None:
    """If this fails, batches cost more key frames than promised, or lose frames at the end."""
    output = tmp_path / f"out.{container}"
    options = EncodeOptions(chunk_frames=length, batch_chunks=x, crf=20, mode=mode)
    result = encode_file(str(source), output, options, workers=2)
    assert len(check_plays_alike(output)) == 30 == result.frames
    assert key_frames(output) == result.key_frames == -(-30 // (length * x))


@both_modes
@pytest.mark.parametrize("crf", [0, 63])
def test_the_ends_of_the_quality_scale(
    source: Path, tmp_path: Path, crf: int, options: EncodeOptions
) -> None:
    """If this fails, the extreme qualities do not encode."""
    options = replace(options, crf=crf)
    encode_file(str(source), tmp_path / "out.webm", options, workers=2)
    assert len(check_plays_alike(tmp_path / "out.webm")) == 30


def test_both_containers_hold_the_same_frames(source: Path, tmp_path: Path) -> None:
    """If this fails, the container changes the video."""
    for name in ("out.webm", "out.ivf"):
        encode_file(str(source), tmp_path / name, OPTIONS, workers=2)
    assert read_file(tmp_path / "out.webm").frames == read_file(tmp_path / "out.ivf").frames


@both_modes
def test_recorded_seam_states_are_those_a_decoder_reaches(
    source: Path, tmp_path: Path, options: EncodeOptions
) -> None:
    """If this fails, seams were checked against something other than the result."""
    job = tmp_path / "job"
    encode_file(str(source), tmp_path / "out.ivf", options, workers=2, keep_job=job)
    frames = read_file(tmp_path / "out.ivf").frames
    state = None
    found = []
    shown = 0
    for frame in frames:
        state = codec.decode(state, frame).state
        shown += codec.is_shown(frame)
        if codec.is_shown(frame) and (shown % 4 == 0 or shown == 30):
            found.append(state.digest())
    store, keys = DirectoryStore(job), Keys("local")
    recorded = []
    for batch in Job.load(store, keys.job).plan.batches:
        recorded += json.loads(store.get(keys.record(keys.cluster(batch.number))))["states"]
    assert recorded == found


@both_modes
def test_a_finished_piece_is_not_made_again(
    source: Path, tmp_path: Path, options: EncodeOptions
) -> None:
    """If this fails, a retried or resumed job does all its work twice."""
    store, keys = DirectoryStore(tmp_path / "job"), Keys("local")
    encode_file(str(source), tmp_path / "a.webm", options, keep_job=store.root, workers=2)
    pieces = [k for k in store.list() if k.endswith((".cluster", ".packets"))]
    before = {key: store.path(key).stat().st_mtime_ns for key in pieces}
    store.delete(keys.cluster(1))
    encode_file(str(source), tmp_path / "b.webm", options, keep_job=store.root, workers=2)
    changed = {key for key in pieces if store.path(key).stat().st_mtime_ns != before[key]}
    assert changed == {keys.cluster(1)}
    assert (tmp_path / "a.webm").read_bytes() == (tmp_path / "b.webm").read_bytes()


def test_a_kept_job_of_the_other_mode_is_not_taken_over(source: Path, tmp_path: Path) -> None:
    """If this fails, chunks of one mode are joined in the way of the other."""
    job = tmp_path / "job"
    for name, options in (("a.webm", REBASE), ("b.webm", OPTIONS), ("c.webm", REBASE)):
        encode_file(str(source), tmp_path / name, options, keep_job=job, workers=2)
    assert (tmp_path / "a.webm").read_bytes() == (tmp_path / "c.webm").read_bytes()
    assert len(check_plays_alike(tmp_path / "b.webm")) == 30


@both_modes
def test_steps_run_over_any_store(source: Path, tmp_path: Path, options: EncodeOptions) -> None:
    """If this fails, the steps depend on the local engine and will not run on Lambda."""
    job = JobByHand(source, options, MemoryStore(), "webm")
    job.run(shares=2)
    encode_file(str(source), tmp_path / "a.webm", options, workers=2)
    assert job.result == (tmp_path / "a.webm").read_bytes()


def test_the_flow_is_sound_and_maps_batches_far_and_shares_near() -> None:
    """If this fails, the state machine derived from the flow would be wrong."""
    flow = excamera_flow(900)
    check(flow, FUNCTIONS)
    maps = {node.name: node.distributed for node in walk(flow) if isinstance(node, Each)}
    assert maps == {
        "rounds": False, "samples": False,
        "spans": True, "batches": True, "ahead": False, "shares": False,
    }  # fmt: skip


REAL = {
    "carphone_pristine.mp4": [(n * 1001 + 15) // 30 for n in range(120)],
    "foreman_cif.264": [40 * n for n in range(300)],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "mode"),
    [
        pytest.param(name, mode, marks=needs(SHARED / "media" / name))
        for name, mode in zip(REAL, ("anchors", "rebase"), strict=True)
    ],
)
def test_real_clips(name: str, mode: str, tmp_path: Path) -> None:
    """If this fails, real film (not our synthetic clips) is encoded wrongly."""
    source, times = SHARED / "media" / name, REAL[name]
    output = tmp_path / "out.webm"
    options = EncodeOptions(chunk_frames=12, batch_chunks=8, mode=mode)
    result = encode_file(str(source), output, options, workers=2)
    assert in_milliseconds(packet_times(output)) == times
    assert result.key_frames == key_frames(output) == -(-len(times) // 96)
    assert len(check_plays_alike(output)) == len(times)


LARGE = {
    "bigbuckbunny.mp4": [40 * n for n in range(132)],
    "street_1080p.264": [40 * n for n in range(54)],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs(SHARED / "media" / name)) for name in LARGE]
)
def test_large_real_clips(name: str, tmp_path: Path) -> None:
    """If this fails, film of everyday size is encoded wrongly."""
    source, times = SHARED / "media" / name, LARGE[name]
    output = tmp_path / "out.webm"
    vpx = VpxSettings(cpu_used=4)
    options = EncodeOptions(chunk_frames=12, batch_chunks=8, mode="rebase", vpx=vpx)
    result = encode_file(str(source), output, options, workers=2)
    assert in_milliseconds(packet_times(output)) == times
    assert result.key_frames == key_frames(output) == -(-len(times) // 96)
    assert result.sound == ("encoded" if name.endswith("mp4") else "none")
    assert len(check_plays_alike(output)) == len(times)


def test_joining_costs_little_quality(source: Path, tmp_path: Path) -> None:
    """If this fails, rebased chunks drift away from the source."""
    errors = []
    for x in (1, 8):
        output = tmp_path / f"{x}.ivf"
        options = replace(REBASE, batch_chunks=x)
        encode_file(str(source), output, options, workers=2)
        errors.append(decode_ours(output)[-1])
    difference = sum(abs(a - b) for a, b in zip(*errors, strict=True)) / len(errors[0])
    assert difference < 4
