"""A source that cannot be encoded ends in a named failure, in a user's words, with no output."""

from __future__ import annotations

import time
from pathlib import Path

import av
import pytest

from emulator.excamera.deployed import Deployed, Job
from emulator.runs import until
from tests.aws.test_cancel import stopped_at
from tests.pipeline.clips import Clip, write_sound_only

pytestmark = pytest.mark.aws


def failed(stack: Deployed, job: Job, step: str, error: str) -> str:
    """Checks that a job failed at a step with an error; returns the message to the user."""
    assert (job.status, job.error) == ("FAILED", error), job
    record = stack.failure(job)
    assert (record["step"], record["error"]) == (step, error)
    assert record["message"] == job.message
    assert stack.keys("OutputBucket", job.input["output"]["key"]) == []
    message: str = record["message"]
    return message


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"hello\n" * 100, "NotAVideo"), (b"", "NotAVideo"), (bytes(range(256)) * 400, "NotAVideo")],
    ids=["text", "empty", "bytes"],
)
def test_not_a_video(stack: Deployed, content: bytes, error: str) -> None:
    """If this fails, a file that is no video gets "unknown error", or no answer."""
    job = stack.job(stack.upload("not a video.mp4", content))
    message = failed(stack, job, "index", error)
    assert f"s3://{stack.outputs['InputBucket']}/not a video.mp4" in message


def test_a_truncated_video(stack: Deployed, tmp_path: Path) -> None:
    """If this fails, half a film is encoded as if it were the whole."""
    source = Clip(frames=30, container_options={"movflags": "faststart"})
    whole = source.write(tmp_path / "whole.mp4").read_bytes()
    job = stack.job(stack.upload("truncated.mp4", whole[: len(whole) * 6 // 10]))
    message = failed(stack, job, "index", "TruncatedSource")
    assert "frames could be read" in message


def test_no_video_stream(stack: Deployed, tmp_path: Path) -> None:
    """If this fails, a sound file is reported like a damaged film."""
    path = write_sound_only(tmp_path / "sound.mp4")
    job = stack.job(stack.upload("sound only.mp4", path))
    assert "no video stream" in failed(stack, job, "index", "NoVideoStream")


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"excamera-crf": "99"}, "crf must be 0 to 63, not 99"),
        ({"excamera-crf": "best"}, "crf must be a whole number, not 'best'"),
        ({"excamera-vf": "lut3d=/etc/passwd"}, "vf: lut3d cannot be used on a stack"),
        ({"excamera-quality": "3"}, "there is no option 'quality'; there are preset, codec"),
    ],
)
def test_options_that_there_are_not(
    stack: Deployed, clip: Path, metadata: dict[str, str], words: str
) -> None:
    """If this fails, a mistyped option is ignored and the film is encoded without it."""
    job = stack.job(stack.upload("bad options.mp4", clip, metadata))
    assert words in failed(stack, job, "index", "OptionError")


def damaged(path: Path) -> bytes:
    """Returns a film with a correct index, but with one frame of the third chunk zeroed."""
    Clip(frames=30, encoder="libvpx", options={"g": "1", "crf": "10"}).write(path)
    with av.open(str(path)) as container:
        coded = [bytes(packet) for packet in container.demux(video=0) if packet.size][14]
    data = path.read_bytes()
    assert data.count(coded) == 1
    return data.replace(coded, bytes(len(coded)))


def test_damage_that_a_worker_finds_is_concealed(stack: Deployed, tmp_path: Path) -> None:
    """If this fails, one bad frame in a film ends its job, or nobody hears of it."""
    options = {"excamera-mode": "rebase", "excamera-chunk-frames": "6"}
    content = damaged(tmp_path / "damaged.mkv")
    job = stack.job(stack.upload("damaged.mkv", content, options))
    assert job.status == "SUCCEEDED", job
    assert job.output["frames"] == 29
    assert job.output["notes"] == ["1 frame damaged or missing: concealed"]
    assert f"jobs/{job.name}/failure.json" not in stack.keys("WorkBucket", f"jobs/{job.name}/")
    # The same with an option that wants it refused: the index finds it at the second try.
    job = stack.job(stack.upload("strict.mkv", content, {**options, "excamera-strict": "true"}))
    message = failed(stack, job, "index", "DamagedSource")
    assert "strict.mkv: 1 frame damaged or missing" in message


def test_a_result_of_something_else_is_left_alone(stack: Deployed, clip: Path) -> None:
    """If this fails, an upload replaces an unrelated file.

    Once that file is moved away, a redrive completes the job.
    """
    output = {"Bucket": stack.outputs["OutputBucket"], "Key": "taken.webm"}
    stack.s3.put_object(**output, Body=b"precious")
    job = stack.job(stack.upload("taken.mp4", clip))
    assert (job.status, job.error) == ("FAILED", "OutputExists")
    assert "upload the source under another name" in stack.failure(job)["message"]
    assert stack.output("taken.webm") == b"precious"

    stack.s3.delete_object(**output)
    # What is told of the end would record it again, if that came after the redrive.
    until(lambda: stack.keys("WorkBucket", f"jobs/{job.name}/end.json"))
    stack.client("stepfunctions").redrive_execution(executionArn=job.arn)
    again = stack.ended(job.arn)
    assert again.status == "SUCCEEDED"
    assert stack.output("taken.webm").startswith(b"\x1a\x45\xdf\xa3")
    assert f"jobs/{job.name}/failure.json" not in stack.keys("WorkBucket", f"jobs/{job.name}/")


def test_a_redrive_of_what_cannot_be_mended_fails_alike(stack: Deployed, tmp_path: Path) -> None:
    """If this fails, a redrive loses the reason, or loops for ever."""
    content = damaged(tmp_path / "damaged.mkv")
    job = stack.job(stack.upload("damaged again.mkv", content, {"excamera-strict": "true"}))
    stack.client("stepfunctions").redrive_execution(executionArn=job.arn)
    message = failed(stack, stack.ended(job.arn), "index", "DamagedSource")
    assert "1 frame damaged or missing" in message


def test_a_stopped_job_is_recorded(stack: Deployed, tmp_path: Path) -> None:
    """If this fails, a stopped job leaves no record."""
    source = Clip(frames=60, width=640, height=360).write(tmp_path / "long.mp4")
    with stopped_at(stack, "stitch"):  # so that it cannot end by itself before
        arn = stack.started(stack.upload("stopped.mp4", source))
        prefix = f"jobs/{arn.rsplit(':', 1)[-1]}/"
        until(lambda: f"{prefix}plan.json" in stack.keys("WorkBucket", prefix))
        stack.client("stepfunctions").stop_execution(executionArn=arn, cause="wrong film")
        job = stack.ended(arn)
    assert job.status == "ABORTED"
    until(lambda: f"{prefix}failure.json" in stack.keys("WorkBucket", prefix))
    record = stack.failure(job)
    assert record["error"] == "JobStopped"
    assert record["message"] == "the job was stopped: wrong film"
    time.sleep(1)
    assert stack.keys("OutputBucket", "stopped") == []
