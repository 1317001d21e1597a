"""The REST API, called over HTTP with signatures, on the emulator."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import urllib3

from emulator import Emulator
from emulator.excamera.deployed import Deployed, digest
from emulator.runs import PATIENCE_S, until
from excamera.cloud.account import Account
from excamera.cloud.api import Api, http
from excamera.errors import ApiRefused, NoSuchJob
from tests.aws.conftest import Locally

pytestmark = pytest.mark.aws


@pytest.fixture
def account(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Account:
    """The emulated account, as the command line sees it."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    return Account()


@pytest.fixture
def api(account: Account, stack: Deployed) -> Api:
    """The stack's API."""
    return Api.of_stack(account, account.stack(stack.name))


def upload_parts(upload: dict[str, Any], data: bytes) -> list[tuple[int, str]]:
    """PUTs all missing parts; returns the number and ETag of every part."""
    tags = [(part["number"], part["etag"]) for part in upload["received"]]
    for part in upload["parts"]:
        body = data[part["offset"] : part["offset"] + part["size"]]
        answer = http().request("PUT", part["url"], body=body)
        assert answer.status == 200, answer.data
        tags.append((part["number"], answer.headers["ETag"]))
    return sorted(tags)


def complete(upload: dict[str, Any], tags: list[tuple[int, str]]) -> urllib3.BaseHTTPResponse:
    """POSTs the list of parts, which creates the object."""
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>" for number, tag in tags
    )
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"
    return http().request("POST", upload["complete_url"], body=body.encode())


def ended(api: Api, job: str) -> dict[str, Any]:
    """Waits for a job to end and returns it."""

    def found() -> Any:
        answer = api.get(f"/jobs/{job}")
        return answer if answer["phase"] == "ended" else None

    answer: dict[str, Any] = until(found, PATIENCE_S)
    return answer


def test_an_upload_becomes_a_job(api: Api, stack: Deployed, locally: Locally, clip: Path) -> None:
    """If this fails, a caller without rights on the buckets cannot have a film encoded."""
    data = clip.read_bytes()
    request = {"upload": True, "name": "über uns.mp4", "size": len(data), "tag": {"order": 7}}
    job, new = api.post("/jobs", request, idempotency_key=str(uuid.uuid4()))
    assert (new, job["state"], job["phase"]) == (True, "uploading", "uploading")
    [waiting] = api.get("/jobs", state="uploading")["jobs"]
    assert (waiting["id"], waiting["size"]) == (job["id"], len(data))
    assert job["id"].startswith("uber-uns-")
    assert waiting["source"].endswith(f"/uploads/{job['id']}/über uns.mp4")
    tags = upload_parts(job["upload"], data)
    assert complete(job["upload"], tags).status == 200
    done = ended(api, job["id"])
    assert done["state"] == "succeeded", done
    assert done["tag"] == {"order": 7}
    assert done["chunks"] == 3
    assert done["shares"] == {"done": 1, "total": 1}
    assert done["batches"] == {"done": 1, "total": 1}
    assert done["frames"] == 26
    assert done["retries"] == 0
    assert 0 < done["cost"]["so_far_usd"] < 0.01
    assert api.get("/jobs", state="uploading")["jobs"] == []
    result = http().request("GET", done["result"]["url"])
    assert digest(result.data) == locally(clip)
    assert len(result.data) == done["result"]["size"]


def test_an_object_becomes_a_job(api: Api, stack: Deployed, clip: Path) -> None:
    """If this fails, a film that is already in S3 must be uploaded again."""
    key = "not a film by its name"
    stack.upload(key, clip)
    source = f"s3://{stack.outputs['InputBucket']}/{key}"
    request = {"source": source, "output": "named/by me.webm", "options": {"crf": 40}}
    token = str(uuid.uuid4())
    job, new = api.post("/jobs", request, idempotency_key=token)
    assert new
    again, new = api.post("/jobs", request, idempotency_key=token)
    assert (again["id"], new) == (job["id"], False)
    with pytest.raises(ApiRefused, match="another request"):
        api.post("/jobs", {**request, "options": {"crf": 41}}, idempotency_key=token)
    done = ended(api, job["id"])
    assert done["state"] == "succeeded", done
    assert done["options"]["crf"] == 40
    assert done["result"]["key"] == "named/by me.webm"
    [listed] = [one for one in api.get("/jobs", limit=100)["jobs"] if one["id"] == job["id"]]
    assert (listed["source"], listed["size"]) == (done["source"], clip.stat().st_size)
    assert done["size"] == listed["size"]
    again, new = api.post("/jobs", request, idempotency_key=token)
    assert (again["id"], again["state"], new) == (job["id"], "succeeded", False)


def test_a_failure_has_its_reason(api: Api, stack: Deployed) -> None:
    """If this fails, a caller of the API must read logs to learn what went wrong."""
    stack.upload("broken", b"no video at all")
    source = f"s3://{stack.outputs['InputBucket']}/broken"
    job, _ = api.post("/jobs", {"source": source}, idempotency_key=str(uuid.uuid4()))
    done = ended(api, job["id"])
    assert done["state"] == "failed"
    assert done["failure"]["error"] == "NotAVideo"
    assert done["failure"]["step"] == "index"
    assert done["result"] is None


def test_the_timeline(api: Api, stack: Deployed, clip: Path) -> None:
    """If this fails, nobody can see what a job spent its time on."""
    stack.upload("timeline", clip)
    source = f"s3://{stack.outputs['InputBucket']}/timeline"
    request = {"source": source, "options": {"chunk_frames": 4}}
    job, _ = api.post("/jobs", request, idempotency_key=str(uuid.uuid4()))
    done = ended(api, job["id"])
    assert (done["chunks"], done["shares"]["total"]) == (7, 2)
    page = api.get(f"/jobs/{job['id']}/timeline", limit=4)
    rest = api.get(f"/jobs/{job['id']}/timeline", next=page["next"])
    assert len(page["attempts"]) == 4
    assert rest["next"] is None
    attempts = page["attempts"] + rest["attempts"]
    assert sorted(one["task"] for one in attempts) == [
        "anchors-000000", "audio", "encode-000000-000000", "encode-000000-000001", "index",
        "plan", "spread-batches", "stitch",
    ]  # fmt: skip
    for one in attempts:
        if one["step"] == "spread":
            continue  # it waits, and reaches no points between
        times = [one[name] for name in
                 ("queued", "started", "fetched", "computed", "stored", "finished")]  # fmt: skip
        assert times == sorted(times)
        assert one["worker"]
        assert (one["attempt"], one["outcome"]) == (1, "done")


def test_pages(api: Api, stack: Deployed) -> None:
    """If this fails, a list of jobs skips some or shows some twice."""
    for number in range(3):
        request = {"upload": True, "name": f"page{number}.mp4", "size": 1000}
        api.post("/jobs", request, idempotency_key=f"page {number}")
    seen: list[str] = []
    more: str | None = None
    while True:
        page = api.get("/jobs", limit=2, next=more)
        assert len(page["jobs"]) <= 2
        seen += [one["id"] for one in page["jobs"]]
        more = page["next"]
        if more is None:
            break
    assert len(seen) == len(set(seen))
    waiting = [job for job in seen if job.startswith("page")]
    assert len(waiting) == 3
    for job in waiting:
        assert api.delete(f"/jobs/{job}")["state"] == "stopped"
        with pytest.raises(NoSuchJob):
            api.get(f"/jobs/{job}")


@pytest.mark.parametrize(
    ("request_", "pointer"),
    [
        ({}, "body"),
        ({"upload": True, "name": "a.mp4"}, "body"),
        ({"upload": True, "name": "a/b.mp4", "size": 1}, "body/name"),
        ({"upload": True, "name": "a.mp4", "size": 0}, "body/size"),
        ({"source": "http://example.com/film.mp4"}, "body/source"),
        ({"source": "s3://abc/film.mp4", "options": {"crf": 64}}, "body/options/crf"),
        ({"source": "s3://abc/film.mp4", "quality": 1}, "body/quality"),
        ({"source": "s3://abc/film.mp4", "tag": "x" * 2000}, "body/tag"),
    ],
)
def test_wrong_requests_are_told_what_is_wrong(
    api: Api, request_: dict[str, Any], pointer: str
) -> None:
    """If this fails, the answer to a bad request does not name the mistake."""
    answer = api_answer(api, "POST", "/jobs", json.dumps(request_).encode())
    assert answer.status == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == 422
    assert [one["pointer"] for one in problem["errors"]] == [pointer]


def api_answer(
    api: Api, method: str, path: str, body: bytes = b"", **headers: str
) -> urllib3.BaseHTTPResponse:
    """Returns the raw answer to a signed request."""
    url = api._url + path
    return http().request(
        method, url, body=body or None, headers=api._prove(method, url, headers, body)
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/jobs", b"{", 400),
        ("POST", "/jobs", b" " * 70_000, 413),
        ("GET", "/jobs?next=nonsense", b"", 400),
        ("GET", "/jobs?limit=0", b"", 422),
        ("GET", "/jobs/no-such-job", b"", 404),
        ("DELETE", "/jobs/no-such-job", b"", 404),
        ("GET", "/jobs/no-such-job/timeline", b"", 404),
        ("GET", "/jobs/-bad-", b"", 422),
        ("POST", "/jobs", b'{"source": "s3://another-bucket/film.mp4"}', 422),
        ("POST", "/jobs", b'{"upload": true, "name": "a.txt", "size": 5}', 422),
        ("POST", "/jobs", b'{"upload": true, "name": "a.mp4", "size": 600000000000}', 422),
    ],
)
def test_refusals(api: Api, method: str, path: str, body: bytes, status: int) -> None:
    """If this fails, an impossible request gets the wrong status, or is carried out."""
    answer = api_answer(api, method, path, body)
    assert answer.status == status, answer.data
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["detail"]


def test_the_part_of_an_upload_has_its_size(api: Api, stack: Deployed) -> None:
    """If this fails, a URL made for a small file accepts a large one."""
    request = {"upload": True, "name": "bounded.mp4", "size": 1000}
    job, _ = api.post("/jobs", request, idempotency_key=str(uuid.uuid4()))
    [part] = job["upload"]["parts"]
    answer = http().request("PUT", part["url"], body=b"x" * 1001)
    api.delete(f"/jobs/{job['id']}")
    assert answer.status == 403
