"""Jobs that ask for a time or a price, on the emulator."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest

from emulator.excamera.deployed import Deployed, digest
from excamera.cloud.account import Account
from excamera.cloud.api import Api, http
from excamera.errors import ApiRefused
from excamera.job.options import EncodeOptions
from excamera.job.steps import ENCODE_SIZES_MB
from tests.aws.conftest import Locally
from tests.aws.test_api import account, api, ended
from tests.aws.test_commands import Command, environment, excamera
from tests.pipeline.clips import Clip

__all__ = ["account", "api", "environment", "excamera"]

pytestmark = pytest.mark.aws


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of three batches, if N and x are the defaults."""
    return Clip(frames=400, sound="aac").write(tmp_path_factory.mktemp("goals") / "film.mp4")


def chosen_options(planned: dict[str, Any]) -> EncodeOptions:
    """The options that were chosen."""
    chosen = planned["chosen"]
    return EncodeOptions(chunk_frames=chosen["chunk_frames"], batch_chunks=chosen["batch_chunks"])


def test_a_job_follows_its_goal(
    api: Api, account: Account, stack: Deployed, locally: Locally, film: Path
) -> None:
    """If this fails, a job is not what was chosen for its goal, or nobody can see what was."""
    del account
    stack.upload("goals/film.mp4", film, {"excamera-crf": "24"})
    source = f"s3://{stack.outputs['InputBucket']}/goals/film.mp4"
    request = {"source": source, "output": "goals/cheap.webm", "within_s": 900.0}
    token = str(uuid.uuid4())
    job, new = api.post("/jobs", request, idempotency_key=token)
    assert new
    assert job["goal"] == {"within_s": 900.0, "budget_usd": None, "or_fail": False}
    with pytest.raises(ApiRefused, match="another request"):
        api.post("/jobs", {**request, "within_s": 901.0}, idempotency_key=token)
    done = ended(api, job["id"])
    assert done["state"] == "succeeded", done
    planned = done["planned"]
    assert (planned["goal"], planned["met"]) == (done["goal"], True)
    chosen, options = planned["chosen"], chosen_options(planned)
    # The cheapest way: few batches, one after another.
    assert options != EncodeOptions()
    assert chosen["job_workers"] == 1
    assert {name: done["options"][name] for name in ("chunk_frames", "batch_chunks")} == {
        "chunk_frames": options.chunk_frames, "batch_chunks": options.batch_chunks,
    }  # fmt: skip
    assert done["batches"]["total"] == done["shares"]["total"] == chosen["batches"]
    assert done["workers_at_once"] == 1
    # The plan predicts by the real cut what was chosen by an even one.
    assert 0 < done["cost"]["estimated_usd"] <= chosen["usd"]
    result = http().request("GET", done["result"]["url"])
    assert digest(result.data) == locally(film, options)
    assert digest(result.data) != locally(film)
    [key] = stack.keys("WorkBucket", f"jobs/{job['id']}/timeline/index")
    indexed = stack.read_work(key)
    limits = indexed["result"]["limits"]
    assert indexed["result"]["planned"] == planned
    assert (limits["job_workers"], limits["batch_workers"]) == (1, 1)
    # One CPU is never idle.
    assert limits["memory_mb"] == chosen["memory_mb"] == min(ENCODE_SIZES_MB)


def test_a_fast_job_has_many_workers(stack: Deployed, locally: Locally, film: Path) -> None:
    """If this fails, the metadata of an upload sets no goal."""
    upload = stack.upload("fast.mp4", film, {"excamera-budget": "$2", "excamera-crf": "40"})
    job = stack.job(upload)
    assert job.status == "SUCCEEDED", job
    [indexed], [plan] = stack.timeline(job, "index"), stack.timeline(job, "plan")
    planned = indexed["result"]["planned"]
    assert planned["goal"] == {"within_s": None, "budget_usd": 2.0, "or_fail": False}
    assert plan["result"]["planned"] == planned
    assert planned["chosen"]["workers"] > 1
    chosen = planned["chosen"]
    options = EncodeOptions(
        crf=40, chunk_frames=chosen["chunk_frames"], batch_chunks=chosen["batch_chunks"]
    )
    assert digest(stack.output(job.output["key"])) == locally(film, options)


@pytest.mark.parametrize(
    ("metadata", "error", "words"),
    [
        ({"within": "3s", "or-fail": "true"}, "TimeTooShort", "No way ends within 3 s"),
        ({"budget": "0.00001"}, "BudgetTooSmall", "No way costs as little as $0.000010: the cheap"),
        ({"within": "30s", "chunk-frames": "6"}, "OptionError", "within chooses chunk-frames"),
        ({"within": "30s", "budget": "1"}, "OptionError", "either within or budget"),
        ({"within": "soon"}, "OptionError", "must be a time such as 30s"),
    ],
)
def test_what_cannot_be(
    stack: Deployed, clip: Path, metadata: dict[str, str], error: str, words: str
) -> None:
    """If this fails, a job spends what its user does not want to, or a mistake is ignored."""
    given = {f"excamera-{name}": value for name, value in metadata.items()}
    job = stack.job(stack.upload("no goal.mp4", clip, given))
    assert job.status == "FAILED"
    record = stack.failure(job)
    assert (record["step"], record["error"]) == ("index", error)
    assert words in record["message"]
    assert not stack.timeline(job, "plan")


def test_a_time_that_is_too_short_is_only_a_wish(stack: Deployed, clip: Path) -> None:
    """If this fails, films that cannot be encoded as fast as wished are not encoded at all."""
    job = stack.job(stack.upload("hurry.mp4", clip, {"excamera-within": "1s"}))
    assert job.status == "SUCCEEDED", job
    [indexed] = stack.timeline(job, "index")
    assert not indexed["result"]["planned"]["met"]


def test_goals_on_the_command_line(excamera: Command, clip: Path) -> None:
    """If this fails, `submit --within` starts another job, or `status` does not say why."""
    done = excamera("submit", clip, "--within", "5m", "--wait", "--json")
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    assert job["planned"]["goal"]["within_s"] == 300
    shown = excamera("status", job["id"]).stdout
    assert re.search(r"^goal +within 300 s$", shown, re.M)
    assert re.search(r"^chosen +ExCamera\[.*\], 1 worker of 1,769 MB; expected", shown, re.M)
    assert job["planned"]["why"] in shown
    again = excamera("submit", clip, "--within", "5m", "--json")
    assert json.loads(again.stdout)["id"] == job["id"]
    for arguments, said in (
        (("--within", "5m", "-n", "12"), "within chooses chunk-frames"),
        (("--within", "5m", "--budget", "1"), "not both"),
        (("--budget", "1", "--or-fail"), "or-fail belongs to within"),
    ):
        refused = excamera("submit", clip, *arguments)
        assert (refused.returncode, said in refused.stderr) == (2, True)
