"""An uploaded video comes back encoded, with exactly the local engine's bytes."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from emulator.excamera.deployed import MIN_PART, Deployed, Upload, digest
from excamera.job.encoders import VpxSettings
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from mu.timeline import attempts
from tests.aws.noise import write_noise
from tests.pipeline.awkward import with_all_flags, with_damage, write_interlaced
from tests.pipeline.clips import Clip, check_plays_alike, key_frames
from tests.support.shared import SHARED, needs

Locally = Callable[..., str]

MEDIA = SHARED / "media"

pytestmark = pytest.mark.aws


@pytest.mark.parametrize("mode", ["anchors", "rebase"])
def test_an_upload_becomes_the_local_engines_result(
    stack: Deployed, locally: Locally, clip: Path, tmp_path: Path, mode: str
) -> None:
    """If this fails, the stack does not encode, or its result differs from one machine's."""
    result = stack.result(stack.upload(f"film {mode}.mp4", clip, {"excamera-mode": mode}))
    assert digest(result) == locally(clip, EncodeOptions(mode=mode))
    (tmp_path / "film.webm").write_bytes(result)
    assert len(check_plays_alike(tmp_path / "film.webm")) == 26
    assert key_frames(tmp_path / "film.webm") == 1
    with av.open(str(tmp_path / "film.webm")) as film:
        assert [stream.type for stream in film.streams] == ["video", "audio"]


def test_another_codec_is_named_in_metadata(stack: Deployed, clip: Path, tmp_path: Path) -> None:
    """If this fails, the stack encodes H.264 otherwise than one machine, or calls it WebM."""
    upload = stack.upload("other.mp4", clip, {"excamera-codec": "h264"})
    job = stack.job(upload)
    assert job.status == "SUCCEEDED", job
    assert job.output["key"] == "other.mp4"
    head = stack.s3.head_object(Bucket=stack.outputs["OutputBucket"], Key="other.mp4")
    assert head["ContentType"] == "video/mp4"
    options = EncodeOptions(codec="h264")
    encode_file(str(clip), tmp_path / "other.mp4", options, workers=2)
    assert digest(stack.output("other.mp4")) == digest((tmp_path / "other.mp4").read_bytes())


@pytest.mark.parametrize(
    "key",
    [
        "a film with spaces.mp4",
        "séances/été+automne/Grüße & 映画.MP4",
        "a+b/c%20d/e=f?g#h (1).mp4",
        "dots.in.name.v2.mp4",
        "//odd//slashes.mp4",
    ],
)
def test_odd_keys(stack: Deployed, locally: Locally, clip: Path, key: str) -> None:
    """If this fails, a file name with spaces, accents or plus signs is never encoded."""
    upload = stack.upload(key, clip)
    job = stack.job(upload)
    assert job.status == "SUCCEEDED", job
    assert job.output["key"] == key[: key.rindex(".")] + ".webm"
    assert digest(stack.output(job.output["key"])) == locally(clip)


def test_the_result_says_what_it_was_made_from(stack: Deployed, clip: Path) -> None:
    """If this fails, a result does not name the upload that it was made from."""
    stack.result(stack.upload("labelled.mp4", clip))
    head = stack.s3.head_object(Bucket=stack.outputs["OutputBucket"], Key="labelled.webm")
    assert head["ContentType"] == "video/webm"
    assert head["Metadata"]["excamera-source"].endswith("/labelled.mp4")


@pytest.mark.slow
def test_awkward_sources(stack: Deployed, locally: Locally, tmp_path: Path) -> None:
    """If this fails, what one machine reads and mends is refused by the stack, or differs there."""
    recording = Clip(frames=50, sound="aac", options={"crf": "10", "bf": "2"}).write(
        tmp_path / "part.ts"
    )
    joined = tmp_path / "joined.ts"
    joined.write_bytes(2 * recording.read_bytes())
    film = Clip(frames=30, encoder="ffv1", options={"g": "1"}).write(tmp_path / "whole.mkv")
    damaged = with_damage(film, 13)
    old = write_interlaced(tmp_path / "old.ts")
    # Names whose ending starts a job; what is in the files, FFmpeg sees.
    moving = Clip(frames=30, encoder="apng", pix_fmt="rgb24", options={}).write(
        tmp_path / "moving.mkv", "apng"
    )
    plain = Clip(frames=40, encoder="mpeg4", options={"g": "20", "qmax": "3"}, sound="flac")
    lies = with_all_flags(plain.write(tmp_path / "plain.mkv"), tmp_path / "lies.mkv")
    words = {
        joined: "clock jumps once",
        damaged: "1 frame damaged",
        old: "interlaced",
        moving: "",
        lies: "",
    }
    uploads = {path: stack.upload(f"awkward/{path.name}", path) for path in words}
    for path, upload in uploads.items():
        job = stack.job(upload)
        assert job.status == "SUCCEEDED", job
        notes = job.output["notes"]
        assert any(words[path] in note for note in notes) if words[path] else not notes
        assert digest(stack.output(job.output["key"])) == locally(path)


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of more than two parts."""
    path = write_noise(tmp_path_factory.mktemp("large") / "large.mkv", 36)
    assert path.stat().st_size > 2 * MIN_PART
    return path


@pytest.mark.slow
def test_multipart_uploads(stack: Deployed, locally: Locally, large: Path) -> None:
    """If this fails, uploads over some size are silently ignored."""
    in_parts = stack.upload("by hand/large one.mkv", large, multipart=True)
    by_boto3 = stack.transfer("by boto3/large one.mkv", large)
    for upload in (in_parts, by_boto3):
        assert digest(stack.result(upload)) == locally(large)


@pytest.mark.slow
def test_large_results_are_joined_by_s3(stack: Deployed, locally: Locally, large: Path) -> None:
    """If this fails, large batches pass through stitch, or it cannot put them together."""
    metadata = {"excamera-crf": "0", "excamera-chunk-frames": "6", "excamera-batch-chunks": "3"}
    options = EncodeOptions(crf=0, chunk_frames=6, batch_chunks=3)
    job = stack.job(stack.upload("large result.mkv", large, metadata))
    assert job.status == "SUCCEEDED", job
    assert job.output["size"] > 2 * MIN_PART
    assert digest(stack.output(job.output["key"])) == locally(large, options)
    head = stack.s3.head_object(Bucket=stack.outputs["OutputBucket"], Key=job.output["key"])
    # The ETag of an object made from parts ends with their number; the front goes with the first.
    assert int(head["ETag"].strip('"').rpartition("-")[2]) >= 2
    # The workers have sent them before stitch began.
    notes = stack.keys("WorkBucket", f"jobs/{job.name}/assembly/")
    [whole] = [stack.read_work(key) for key in notes if key.endswith("/whole.json")]
    assert [size >= MIN_PART for _, size in whole["parts"]] == [True, True]


def test_a_presigned_url_is_enough(stack: Deployed, locally: Locally, clip: Path) -> None:
    """If this fails, a browser's plain HTTP upload starts nothing, or its options are lost."""
    url = stack.s3.generate_presigned_url(
        "put_object",
        Params={
            "Bucket": stack.outputs["InputBucket"],
            "Key": "from a browser.mp4",
            "Metadata": {"excamera-crf": "40"},
        },
    )
    request = urllib.request.Request(
        url,
        data=clip.read_bytes(),
        method="PUT",
        headers={"Content-Type": "", "x-amz-meta-excamera-crf": "40"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    head = stack.s3.head_object(Bucket=stack.outputs["InputBucket"], Key="from a browser.mp4")
    result = stack.result(Upload("from a browser.mp4", head["VersionId"]))
    assert digest(result) == locally(clip, EncodeOptions(crf=40))


def test_options_of_one_upload(stack: Deployed, locally: Locally, clip: Path) -> None:
    """If this fails, options in an object's metadata are ignored."""
    metadata = {
        "excamera-crf": "33",
        "excamera-chunk-frames": "4",
        "excamera-batch-chunks": "2",
        "excamera-mode": "rebase",
        "excamera-deadline": "realtime",
        "excamera-cpu-used": "8",
        "other": "is left alone",
    }
    options = EncodeOptions(
        crf=33, chunk_frames=4, batch_chunks=2, mode="rebase",
        vpx=VpxSettings(deadline="realtime", cpu_used=8),
    )  # fmt: skip
    result = stack.result(stack.upload("options.mp4", clip, metadata))
    assert digest(result) == locally(clip, options)
    assert digest(result) != locally(clip)


def test_an_edited_film(stack: Deployed, locally: Locally, clip: Path) -> None:
    """If this fails, workers of a stack trim, crop or filter otherwise than those of a machine."""
    edits = {
        "start": "0.2",
        "duration": "0.6",
        "fps": "30",
        "crop": "64:48:16:8",
        "vf": "tmix=frames=3,hflip",
        "scale": "96:-2",
        "audio": "1",
    }
    metadata = {f"excamera-{name}": text for name, text in edits.items()}
    metadata |= {"excamera-chunk-frames": "5", "excamera-batch-chunks": "2"}
    result = stack.result(stack.upload("edited.mp4", clip, metadata))
    options = EncodeOptions(chunk_frames=5, batch_chunks=2, **edits)
    assert digest(result) == locally(clip, options)


def test_a_source_without_an_index(stack: Deployed, locally: Locally, tmp_path: Path) -> None:
    """If this fails, raw streams are refused, or indexed differently than on one machine."""
    source = Clip(frames=14).write(tmp_path / "raw.264", container="h264")
    assert digest(stack.result(stack.upload("raw.264", source))) == locally(source)


def test_jobs_at_the_same_time(stack: Deployed, locally: Locally, tmp_path: Path) -> None:
    """If this fails, two users' jobs interfere with each other."""
    sources = [Clip(frames=frames).write(tmp_path / f"{frames}.mp4") for frames in (13, 19)]
    uploads = [stack.upload(f"{source.stem}/same name.mp4", source) for source in sources]
    arns = [stack.started(upload) for upload in uploads]
    assert arns[0] != arns[1]
    for upload, source in zip(uploads, sources, strict=True):
        assert digest(stack.result(upload)) == locally(source)


def test_an_event_that_comes_twice_starts_one_job(stack: Deployed, clip: Path) -> None:
    """If this fails, S3's "at least once" encodes and bills a film twice."""
    upload = stack.upload("twice.mp4", clip)
    stack.started(upload)
    invoke = {
        "FunctionName": stack.function("start"),
        "Payload": json.dumps(stack.event(upload)).encode(),
    }
    again = json.loads(stack.client("lambda").invoke(**invoke)["Payload"].read())
    job = stack.job(upload)
    assert again == {"job": job.name}
    late = stack.client("lambda").invoke(**invoke)
    assert "FunctionError" not in late
    assert stack.executions(upload) == [job.arn]


def test_a_new_version_replaces_the_result(
    stack: Deployed, locally: Locally, clip: Path, tmp_path: Path
) -> None:
    """If this fails, a corrected film keeps the old result."""
    better = Clip(frames=9).write(tmp_path / "better.mp4")
    assert digest(stack.result(stack.upload("draft.mp4", clip))) == locally(clip)
    assert digest(stack.result(stack.upload("draft.mp4", better))) == locally(better)


def test_other_objects_start_nothing(stack: Deployed, clip: Path) -> None:
    """If this fails, every text file beside the films starts a job that fails."""
    other = stack.upload("notes.txt", b"remember the milk")
    stack.result(stack.upload("beside notes.mp4", clip))
    assert stack.executions(other) == []


def test_a_job_leaves_its_timeline(stack: Deployed, tmp_path: Path) -> None:
    """If this fails, a job's objects have other keys, or the timeline hides what was slow."""
    source = Clip(frames=26, sound="aac").write(tmp_path / "kept.mp4")
    job = stack.job(stack.upload("kept.mp4", source, {"excamera-chunk-frames": "4"}))
    keys = {
        key.removeprefix(f"jobs/{job.name}/")
        for key in stack.keys("WorkBucket", f"jobs/{job.name}/")
    }
    tasks = {a.task for a in attempts("timeline", keys) if a.done and a.number == 1}
    assert {
        "index.json",
        "plan.json",
        "anchors/000000.ivf",
        "shares/000000/0002/0000.ivf",
        "shares/000000/0002/0001.ivf",
        "batches/000000.cluster",
        "audio.packets",
    } <= keys
    assert {
        "index",
        "plan",
        "anchors-000000",
        "encode-000000-000001",
        "audio",
        "stitch",
    } <= tasks
    assert "failure.json" not in keys
    for step in ("index", "plan", "anchors", "encode", "audio", "stitch"):
        for record in stack.timeline(job, step):
            assert record["attempts"] == 1
            assert record["error"] is None
            marks = [record["marks"][name] for name in ("fetched", "computed", "stored")]
            times = [record["queued"], record["started"], *marks, record["finished"]]
            assert times == sorted(times)
            assert times[0] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "metadata", "options"),
    [
        pytest.param(
            "carphone_pristine.mp4", {}, EncodeOptions(),
            marks=needs(MEDIA / "carphone_pristine.mp4"),
        ),
        pytest.param(
            "bigbuckbunny.mp4", {"excamera-batch-chunks": "4"}, EncodeOptions(batch_chunks=4),
            marks=needs(MEDIA / "bigbuckbunny.mp4"),
        ),
        pytest.param(
            "street_1080p.264",
            {"excamera-mode": "rebase", "excamera-chunk-frames": "6", "excamera-batch-chunks": "3",
             "excamera-cpu-used": "8", "excamera-deadline": "realtime"},
            EncodeOptions(mode="rebase", chunk_frames=6, batch_chunks=3,
                          vpx=VpxSettings(deadline="realtime", cpu_used=8)),
            marks=needs(MEDIA / "street_1080p.264"),
        ),
    ],
)  # fmt: skip
def test_real_clips(
    stack: Deployed,
    locally: Locally,
    name: str,
    metadata: dict[str, str],
    options: EncodeOptions,
) -> None:
    """If this fails, films of real cameras and encoders come back changed, or not at all."""
    result = stack.result(stack.upload(f"real/{name}", MEDIA / name, metadata), 600)
    assert digest(result) == locally(MEDIA / name, options)
