"""A second stack beside the first, on existing buckets, with a prefix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator import Emulator
from emulator.excamera.deployed import Deployed, digest
from emulator.excamera.synthesis import HOST_CONTEXT
from tests.support.assembly import built

Locally = Callable[..., str]

pytestmark = pytest.mark.aws

BUCKETS = {"input_bucket": "our-films", "work_bucket": "our-work", "output_bucket": "our-results"}


@pytest.fixture
def beside(emulator: Emulator, tmp_path: Path) -> Iterator[Deployed]:
    """The second stack."""
    context = {"stack_name": "Beside", "prefix": "in/", **BUCKETS}
    built(tmp_path, **HOST_CONTEXT, **context)
    for bucket in BUCKETS.values():
        emulator.client("s3").create_bucket(Bucket=bucket)
    emulator.client("s3").put_bucket_notification_configuration(
        Bucket=BUCKETS["input_bucket"],
        NotificationConfiguration={"EventBridgeConfiguration": {}},
    )
    yield Deployed("Beside", emulator.client, emulator.deploy(tmp_path, "Beside"))
    emulator.destroy("Beside")


def test_existing_buckets_serve(
    stack: Deployed, beside: Deployed, locally: Locally, clip: Path
) -> None:
    """If this fails, the stack needs its own buckets, or two stacks cannot live side by side."""
    outside = beside.upload("elsewhere/film.mp4", clip)
    assert digest(beside.result(beside.upload("in/film.mp4", clip))) == locally(clip)
    assert beside.executions(outside) == []
    assert beside.keys("OutputBucket") == ["in/film.webm"]
    assert digest(stack.result(stack.upload("in/film.mp4", clip))) == locally(clip)
