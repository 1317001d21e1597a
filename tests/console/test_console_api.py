"""The console's server: the same API as a stack's, for whoever has its key, and nobody else."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from emulator.runs import until
from excamera.api.answers import Job, JobPage
from excamera.api.offers import Offers
from excamera.cloud.timeline import records
from excamera.console.local import local_console
from excamera.errors import ApiRefused, JobInUse, OptionError
from excamera.job.options import OFFERED, EncodeOptions
from excamera.local import encode_file
from tests.console.callers import Caller, calling
from tests.pipeline.clips import Clip


def test_clients_of_a_stack_can_use_it(
    caller: Caller, done: dict[str, Any], film: Path, tmp_path: Path
) -> None:
    """If this fails, the console speaks another language than the API of a stack."""
    assert done["state"] == "succeeded"
    assert Job.model_validate(done).model_dump(mode="json") == done
    listed = caller.api.get("/jobs", state="succeeded")
    assert done["id"] in [one.id for one in JobPage.model_validate(listed).jobs]
    steps = {one.name for one in records(caller.api, done)}
    assert steps == {"index", "plan", "encode", "audio", "stitch"}
    # The same bytes as without a console.
    mine = encode_file(str(film), tmp_path / "o.webm", EncodeOptions(crf=40))
    status, headers, body = caller.ask("GET", done["result"]["url"].removeprefix(caller.address))
    assert (status, body) == (200, mine.path.read_bytes())
    assert headers["content-type"] == "video/webm"
    for name in ("size", "frames", "key_frames", "duration_s", "sound"):
        assert done["result"][name] == getattr(mine, name)


def test_all_options_are_offered_with_their_help(caller: Caller) -> None:
    """If this fails, the form lacks an option, or explains it otherwise than the table."""
    offers = Offers.model_validate(caller.api.get("/options"))
    table = {option.field: option.rule for option in OFFERED if option.field != "preset"}
    assert {one.field: one.help for one in offers.options} == {
        name: rule.help for name, rule in table.items()
    }
    assert {one.field: one.highest for one in offers.options if one.kind == "number"} == {
        name: rule.highest
        for name, rule in table.items()
        if not (rule.switch or rule.choices or rule.form)
    }


def test_an_estimate_follows_the_options(caller: Caller) -> None:
    """If this fails, the page promises the same whatever is asked for."""

    def estimated(sound: int | bool = 1, **options: Any) -> dict[str, Any]:
        film = {"frames": 2400, "width": 1920, "height": 1080, "duration_s": 100, "sound": sound}
        body = json.dumps({"film": film, "options": options}).encode()
        status, _, found = caller.ask(
            "POST", "/estimate", body, Authorization=caller.proof, Content_Type="application/json"
        )
        assert status == 200, found
        told: dict[str, Any] = json.loads(found)
        return told

    usual, small = estimated(), estimated(scale="-2:360", duration="50")
    assert usual["frames"] == 2 * small["frames"] == 2400
    assert (small["width"], small["height"]) == (640, 360)
    assert usual["seconds"] > 2 * small["seconds"] > 0
    assert usual["bytes"] > 2 * small["bytes"] > 0
    silent = estimated(0)["bytes"]
    assert estimated(3)["bytes"] - silent == 3 * (usual["bytes"] - silent) > 0
    assert estimated(False)["bytes"] == silent, "callers from before it was a count"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/jobs"), ("POST", "/jobs"), ("GET", "/jobs/x"), ("DELETE", "/jobs/x"),
        ("GET", "/jobs/x/timeline"), ("GET", "/jobs/x/logs"), ("GET", "/options"),
        ("POST", "/estimate"), ("GET", "/nothing"), ("PUT", "/uploads/x/1"),
        ("POST", "/uploads/x"), ("GET", "/results/x"), ("GET", "/mu"), ("GET", "/mu/x"),
    ],
)  # fmt: skip
def test_nothing_is_answered_without_the_key(caller: Caller, method: str, path: str) -> None:
    """If this fails, another user of this machine, or a page, can use the console."""
    for proof in ({}, {"Authorization": "Bearer x"}, {"Authorization": caller.token}):
        assert caller.ask(method, path, **proof)[0] == 403
    assert "access-control-allow-origin" not in caller.ask("OPTIONS", path, Origin="http://a")[1]


def test_another_name_for_this_machine_is_refused(caller: Caller) -> None:
    """If this fails, a page whose name suddenly means this machine reads what is here."""
    for host in ("evil.example", f"evil.example:{urlsplit(caller.address).port}", ""):
        status, _, _ = caller.ask("GET", "/jobs", Host=host, Authorization=caller.proof)
        assert status == 421
        assert caller.ask("GET", "/console/", Host=host)[0] == 421


@pytest.mark.parametrize(
    "path",
    [
        "/console/../jobs.py", "/console/%2e%2e/%2e%2e/local.py", "/console//etc/passwd",
        "/console/page.py", "/results/..%2f..%2f.token", "/jobs/..%2f..", "/.token",
    ],
)  # fmt: skip
def test_only_what_is_meant_is_served(caller: Caller, path: str) -> None:
    """If this fails, files of this machine can be had by their paths."""
    status, _, body = caller.ask("GET", path, Authorization=caller.proof)
    assert status in (403, 404)
    assert caller.token.encode() not in body


def test_the_page_has_a_policy(caller: Caller) -> None:
    """If this fails, the page may run or load what is not the console's."""
    status, headers, body = caller.ask("GET", "/console/")
    assert status == 200
    policy = headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not [one for one in policy if "unsafe" in one or "*" in one or "http" in one]
    assert b"<script>" not in body
    assert b"style=" not in body


def test_parts_are_taken_whole_or_not_at_all(caller: Caller) -> None:
    """If this fails, a film is encoded of which something is missing or damaged."""
    request = {"upload": True, "name": "a.mp4", "size": 10}
    job, new = caller.api.post("/jobs", request, idempotency_key="parts")
    assert new
    upload = job["upload"]
    [part] = upload["parts"]
    path = part["url"].removeprefix(caller.address)
    end = upload["complete_url"].removeprefix(caller.address)
    document = b"<CompleteMultipartUpload>%s</CompleteMultipartUpload>"
    assert caller.ask("PUT", path, b"short")[0] == 422
    assert caller.ask("PUT", path, b"0123456789", Content_MD5="AAAAAAAAAAAAAAAAAAAAAA==")[0] == 400
    assert caller.ask("POST", end, document % b"")[0] == 422
    assert caller.get(job["id"])["upload"]["received"] == []
    status, headers, _ = caller.ask("PUT", path, b"0123456789")
    assert status == 200
    wrong = b"<Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>"
    assert caller.ask("POST", end, document % wrong)[0] == 422
    for bad in (b"", b"<a", b"<!DOCTYPE a>" + document % b""):
        assert caller.ask("POST", end, bad)[0] == 400
    assert caller.get(job["id"])["state"] == "uploading"
    tag = headers["etag"].encode().replace(b'"', b"&quot;")
    right = document % (b"<Part><PartNumber>1</PartNumber><ETag>%s</ETag></Part>" % tag)
    assert caller.ask("POST", end, right)[0] == 200
    assert caller.ended(job["id"])["failure"]["error"] == "NotAVideo"
    assert caller.ask("PUT", path, b"0123456789")[0] == 409
    again, new = caller.api.post("/jobs", request, idempotency_key="parts")
    assert (again["id"], new) == (job["id"], False)
    with pytest.raises(ApiRefused, match="used before"):
        caller.api.post("/jobs", {**request, "size": 11}, idempotency_key="parts")


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({}, "needs either"),
        ({"upload": True, "name": "a/b", "size": 1}, "body/name"),
        ({"upload": True, "name": "a", "size": 0}, "body/size"),
        ({"upload": True, "name": "a", "size": 1, "options": {"crf": 99}}, "body/options/crf"),
        ({"upload": True, "name": "a", "size": 1, "within_s": 60}, "for a stack"),
        ({"source": "s3://bucket/key"}, "body/source"),
        ({"source": "upload://nobody/a.mp4"}, "there is no"),
    ],
)  # fmt: skip
def test_wrong_requests_are_explained(caller: Caller, request_: dict[str, Any], told: str) -> None:
    """If this fails, a wrong request makes a job, or nobody learns what is wrong with it."""
    with pytest.raises(ApiRefused, match=told):
        caller.api.post("/jobs", request_, idempotency_key="wrong")
    headers = {"Authorization": caller.proof, "Content_Type": "application/json"}
    assert caller.ask("POST", "/jobs", b"{", **headers)[0] == 400
    assert caller.ask("POST", "/jobs", b"{}", Authorization=caller.proof)[0] == 415
    assert caller.ask("POST", "/jobs", b" " * (65 << 10), **headers)[0] == 413
    assert caller.ask("GET", "/jobs?limit=0", Authorization=caller.proof)[0] == 422


def test_a_body_that_is_not_read_is_no_request(caller: Caller) -> None:
    """If this fails, what is in a refused upload is taken for a request of its own."""
    hidden = f"GET /jobs HTTP/1.1\r\nHost: {urlsplit(caller.address).netloc}\r\n\r\n".encode()
    head = (f"PUT /uploads/x/1 HTTP/1.1\r\nHost: {urlsplit(caller.address).netloc}\r\n"
            f"Content-Length: {len(hidden)}\r\n\r\n")  # fmt: skip
    with socket.create_connection(
        (urlsplit(caller.address).hostname or "", urlsplit(caller.address).port or 0)
    ) as line:
        line.sendall(head.encode() + hidden)
        answer = b""
        while block := line.recv(1 << 16):
            answer += block
    assert answer.count(b"HTTP/1.1 ") == 1


def test_an_ended_console_goes_on_where_it_was(tmp_path: Path) -> None:
    """If this fails, what ran when the console ended is lost, or done from its beginning."""
    folder, film = tmp_path / "folder", tmp_path / "film.mp4"
    # Large enough that much is left when the console ends, however late a busy machine does that.
    Clip(frames=120, width=640, height=360).write(film)
    with calling(folder) as caller:
        job = caller.submit(film, chunk_frames=5, batch_chunks=2)["id"]
        until(lambda: (caller.get(job)["batches"] or {"done": 0})["done"] > 1)
        token = caller.token
    assert json.loads((folder / "jobs" / job / "job.json").read_text())["state"] == "queued"
    began = time.time()
    with calling(folder) as caller:
        assert caller.token == token
        done = caller.ended(job)
        assert done["state"] == "succeeded"
        assert done["result"]["frames"] == 120
        attempts = caller.api.get(f"/jobs/{job}/timeline", limit=1000)["attempts"]
        batches = {one["batch"]: one for one in attempts if one["step"] == "encode"}
        assert len(batches) == 12
        # What the first run had finished was found again.
        timeline = (folder / "jobs" / job / "objects").rglob("timeline/encode-*/*.json")
        found = [json.loads(path.read_text()) for path in timeline]
        assert [one for one in found if one["finished"] < began]
        assert [one for one in found if one["result"].get("again")]
        # Of the job's objects only what its report is made of is left.
        left = [path for path in (folder / "jobs" / job / "objects").rglob("*") if path.is_file()]
        assert {path.suffix for path in left if not path.is_symlink()} == {".json"}
        assert [path for path in left if path.is_symlink()]


def test_jobs_have_their_turn_by_priority(
    caller: Caller, done: dict[str, Any], tmp_path: Path
) -> None:
    """If this fails, urgent jobs wait, or a queue's places are wrong."""
    slow = Clip(frames=75, width=640, height=360).write(tmp_path / "slow.mp4")
    first = caller.submit(slow, effort=4, fps="240")["id"]
    until(lambda: caller.get(first)["state"] == "running")
    assert caller.ask("POST", f"/jobs/{first}/report", Authorization=caller.proof)[0] == 409
    made = []
    for priority in (0, 5):
        request = {"source": done["source"], "options": done["given"], "priority": priority}
        made.append(caller.api.post("/jobs", request, idempotency_key=f"turn {priority}")[0]["id"])
    assert [caller.get(job)["place"] for job in made] == [2, 1]
    listed = caller.api.get("/jobs", limit=2)
    assert [one["id"] for one in listed["jobs"]] == made[::-1]
    more = caller.api.get("/jobs", limit=1, next=listed["next"])
    assert more["jobs"][0]["id"] not in made
    for job in (*made, first):
        assert caller.api.delete(f"/jobs/{job}")["state"] == "stopped"
    assert {caller.get(job)["state"] for job in (*made, first)} == {"stopped"}


def test_one_console_serves_a_folder_and_a_port(
    caller: Caller, folder: Path, tmp_path: Path
) -> None:
    """If this fails, two consoles run the same jobs, or one hides behind another's port."""
    with pytest.raises(JobInUse, match="another console"), local_console(folder, 0):
        pass
    port = urlsplit(caller.address).port or 0
    other = local_console(tmp_path, port)
    with pytest.raises(OptionError, match="choose another with --port"), other:
        pass
