"""The client of a deployed stack, against servers that behave badly."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from excamera.cloud import api as api_module
from excamera.cloud import follow as follow_module
from excamera.cloud import upload as upload_module
from excamera.cloud.api import Api
from excamera.cloud.cdk import explain
from excamera.cloud.follow import Follower, fetch
from excamera.cloud.pace import attempts_of
from excamera.cloud.timeline import records
from excamera.cloud.upload import upload_file
from excamera.errors import (
    ApiRefused,
    CloudUnavailable,
    JobEndedBadly,
    NoResult,
    NoSuchJob,
    NotAllowed,
    ResultDamaged,
    UploadFailed,
)
from excamera.job.options import EncodeOptions
from excamera.media.sample import SampleClip, write_sample
from mu import Observer, TaskRecord

Answer = tuple[int, bytes, dict[str, str]] | None
Respond = Callable[[str, str, bytes, dict[str, str]], Answer]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses between attempts, which would only cost time here."""
    for module in (api_module, upload_module, follow_module):
        monkeypatch.setattr(module, "pause", lambda _attempt: None)


@contextmanager
def serving(respond: Respond) -> Iterator[str]:
    """An HTTP server on loopback; an answer of None closes the connection without one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found = respond(self.command, self.path, body, dict(self.headers))
            if found is None:
                self.close_connection = True
                return
            status, content, headers = found
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = headers.get("Connection") == "close"

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 (the library's names)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def client(url: str) -> Api:
    """A client that proves nothing."""
    return Api(url, lambda _method, _url, headers, _body: dict(headers))


def test_the_api_is_asked_again_when_no_answer_comes() -> None:
    """If this fails, a connection that breaks once loses a job, or makes two of it."""
    keys: list[str] = []
    answers: list[Answer] = [None, (503, b"{}", {}), (429, b"{}", {}),
                             (201, b'{"id": "a"}', {})]  # fmt: skip

    def respond(_method: str, _path: str, _body: bytes, headers: dict[str, str]) -> Answer:
        keys.append(headers["Idempotency-Key"])
        return answers[len(keys) - 1]

    with serving(respond) as url:
        assert client(url).post("/jobs", {}, idempotency_key="k") == ({"id": "a"}, True)
    assert keys == ["k"] * 4


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, ApiRefused), (403, NotAllowed), (404, NoSuchJob), (500, CloudUnavailable)],
)
def test_refusals_have_names_and_reasons(status: int, kind: type[Exception]) -> None:
    """If this fails, a refusal is reported as something else, or without its reason."""
    problem = json.dumps({"detail": "because of that"}).encode()
    with (
        serving(lambda *_: (status, problem, {})) as url,
        pytest.raises(kind, match="because of that"),
    ):
        client(url).get("/jobs")


class Bucket:
    """S3's side of an upload, and the API's, with failures on the way."""

    def __init__(self, data: bytes, part: int) -> None:
        self.data = data
        self.part = part
        self.parts: dict[int, bytes] = {}
        self.completed: list[bytes] = []
        self.failures: list[Answer] = []
        self.puts = 0
        self.url = ""
        self._lock = threading.Lock()

    def job(self) -> dict[str, Any]:
        """The job as the API describes it."""
        missing = [
            {"number": number, "offset": at, "size": min(self.part, len(self.data) - at),
             "url": f"{self.url}/part/{number}"}
            for number, at in enumerate(range(0, len(self.data), self.part), start=1)
            if number not in self.parts
        ]  # fmt: skip
        received = [
            {"number": number, "size": len(body), "etag": hashlib.md5(body).hexdigest()}
            for number, body in self.parts.items()
        ]
        upload = {"part_size": self.part, "parts": missing, "received": received,
                  "complete_url": f"{self.url}/complete"}  # fmt: skip
        return {"id": "j", "upload": None if self.completed else upload}

    def respond(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Serve one request."""
        if method == "GET":
            return 200, json.dumps(self.job()).encode(), {}
        if method == "POST":
            self.completed.append(body)
            return 200, b"<CompleteMultipartUploadResult/>", {}
        with self._lock:
            self.puts += 1
            if self.failures:
                return self.failures.pop()
        if headers["Content-MD5"] != base64.b64encode(hashlib.md5(body).digest()).decode():
            return 400, b"<Code>BadDigest</Code>", {}
        self.parts[int(path.rpartition("/")[2])] = body
        return 200, b"", {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}


def test_an_upload_survives_what_happens_on_the_way(tmp_path: Path) -> None:
    """If this fails, one broken connection, or an hour's end, costs a whole upload."""
    data = bytes(range(256)) * 40
    path = tmp_path / "film.mp4"
    path.write_bytes(data)
    bucket = Bucket(data, 1000)
    bucket.failures = [None, (500, b"", {}), (403, b"expired", {}), (400, b"BadDigest", {}),
                       (400, b"<Code>ExpiredToken</Code>", {})]  # fmt: skip
    sent: list[int] = []
    with serving(bucket.respond) as bucket.url:
        upload_file(path, bucket.job(), client(bucket.url), sent.append)
    assert b"".join(bucket.parts[number] for number in sorted(bucket.parts)) == data
    [completed] = bucket.completed
    assert completed.count(b"<ETag>") == 11
    assert bucket.puts < 11 + 5 + 1


def test_an_upload_that_s3_refuses_is_given_up(tmp_path: Path) -> None:
    """If this fails, a user who may no longer upload asks for new URLs for ever."""
    path = tmp_path / "film.mp4"
    path.write_bytes(bytes(3000))
    bucket = Bucket(bytes(3000), 1000)
    bucket.failures = [(403, b"AccessDenied", {})] * 100
    with (
        serving(bucket.respond) as bucket.url,
        pytest.raises(UploadFailed, match="S3 refuses its parts"),
    ):
        upload_file(path, bucket.job(), client(bucket.url), lambda _: None)
    assert 3 <= bucket.puts <= 9


def test_an_upload_sends_only_what_is_missing(tmp_path: Path) -> None:
    """If this fails, resuming an upload starts it again."""
    data = bytes(5000)
    path = tmp_path / "film.mp4"
    path.write_bytes(data)
    bucket = Bucket(data, 1000)
    bucket.parts = {number: bytes(1000) for number in (1, 2, 4)}
    sent: list[int] = []
    with serving(bucket.respond) as bucket.url:
        upload_file(path, bucket.job(), client(bucket.url), sent.append)
    assert bucket.puts == 2
    assert sum(sent[:3]) == 5000


def test_a_file_that_shrinks_is_not_sent(tmp_path: Path) -> None:
    """If this fails, a file that changes while it is uploaded becomes a broken film."""
    path = tmp_path / "film.mp4"
    path.write_bytes(bytes(100))
    bucket = Bucket(bytes(5000), 1000)
    with (
        serving(bucket.respond) as bucket.url,
        pytest.raises(UploadFailed, match="became shorter"),
    ):
        upload_file(path, bucket.job(), client(bucket.url), lambda _: None)
    assert not bucket.completed


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, Any]]:
    """A result, and the API's description of it."""
    from excamera.job.options import EncodeOptions
    from excamera.local import encode_file

    folder = tmp_path_factory.mktemp("result")
    write_sample(folder / "clip.mp4", SampleClip(64, 48, 24, 0.5))
    done = encode_file(str(folder / "clip.mp4"), folder / "clip.webm", EncodeOptions(), workers=1)
    data = done.path.read_bytes()
    return data, {"size": len(data), "frames": done.frames, "key_frames": done.key_frames}


@pytest.mark.parametrize(
    "expiry", [(403, b"Request has expired", {}), (400, b"<Code>ExpiredToken</Code>", {})]
)
def test_a_download_goes_on_where_it_broke(
    result: tuple[bytes, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    expiry: Answer,
) -> None:
    """If this fails, a result of gigabytes has to arrive in one piece."""
    monkeypatch.setattr(follow_module, "_BLOCK", 1000)
    data, told = result
    ranges: list[str] = []

    def respond(_method: str, path: str, _body: bytes, headers: dict[str, str]) -> Answer:
        if path == "/jobs/j":
            return 200, json.dumps({"result": {**told, "url": f"{url}/new"}}).encode(), {}
        ranges.append(headers["Range"])
        if len(ranges) == 3:
            return expiry
        assert path == ("/" if len(ranges) < 3 else "/new")
        start = int(headers["Range"].removeprefix("bytes=").rstrip("-"))
        rest = data[start:]
        if len(ranges) < 3:  # announces more than it sends
            whole = {"Content-Length": str(len(rest)), "Connection": "close"}
            return 206, rest[: len(rest) // 2], whole
        return 206, rest, {}

    with serving(respond) as url:
        fetch(client(url), {"id": "j", "result": {**told, "url": url}}, tmp_path / "out.webm")
    assert (tmp_path / "out.webm").read_bytes() == data
    assert len(ranges) == 4
    assert ranges[1] != "bytes=0-"


@pytest.mark.parametrize("change", ["cut", "other"])
def test_a_damaged_result_is_not_kept(
    result: tuple[bytes, dict[str, Any]], tmp_path: Path, change: str
) -> None:
    """If this fails, a broken file gets the name of the result."""
    data, told = result
    told = {**told, "frames": told["frames"] + (change == "other")}
    served = data[:-1000] if change == "cut" else data
    told["size"] = len(served)
    with serving(lambda *_: (200, served, {})) as url, pytest.raises(ResultDamaged):
        fetch(client(url), {"id": "j", "result": {**told, "url": url}}, tmp_path / "out.webm")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("state", "failure", "said"),
    [
        ("failed", {"error": "NotAVideo", "message": "film.mp4: no video"}, "NotAVideo: film.mp4"),
        ("stopped", {"error": "JobStopped", "message": "cancelled"}, "JobStopped: cancelled"),
        ("timed_out", None, "timed_out"),
    ],
)
def test_a_failed_job_has_no_result_but_a_reason(
    tmp_path: Path, state: str, failure: dict[str, str] | None, said: str
) -> None:
    """If this fails, `fetch` says of a failed job that it failed, and no more."""
    job = {"id": "j-1", "state": state, "failure": failure, "result": None}
    with pytest.raises(JobEndedBadly, match=said) as raised:
        fetch(client("http://127.0.0.1:9"), job, tmp_path / "out.webm")
    assert "`excamera logs j-1`" in str(raised.value)
    assert "`excamera submit` makes a new job" in str(raised.value)


def test_no_result_is_said_so(tmp_path: Path) -> None:
    """If this fails, fetching an absent result ends in a puzzling error."""
    for found, said in ((None, "is running"), ({"url": None, "size": 1}, "replaced")):
        job = {"id": "j", "state": "running", "result": found}
        with pytest.raises(NoResult, match=said):
            fetch(client("http://127.0.0.1:9"), job, tmp_path / "out.webm")


class Seen(Observer):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.done: list[TaskRecord] = []
        self.frames: list[int] = []
        self.batches: list[int] = []

    def started(self, record: TaskRecord) -> None:
        self.begun.append(record.name)

    def finished(self, record: TaskRecord) -> None:
        self.done.append(record)

    def message(self, _task: str, message: dict[str, Any]) -> None:
        self.frames.append(message["frames"])
        self.batches.append(message["batches_done"])


def test_a_job_in_the_cloud_looks_like_one_at_home() -> None:
    """If this fails, progress in the cloud counts other frames than there are."""
    seen = Seen()
    follower = Follower(seen)
    job: dict[str, Any] = {"state": "running", "phase": "planning", "frames": 100,
                           "chunks": None, "shares": None, "batches": None}  # fmt: skip
    follower.see({"state": "uploading"})
    follower.see(job)
    assert seen.begun == ["index"]
    job |= {"phase": "anchoring", "chunks": 17, "shares": {"done": 0, "total": 6},
            "batches": {"done": 0, "total": 2}}  # fmt: skip
    follower.see(job)
    assert seen.begun == ["index", "anchors"]
    assert seen.done[0].result == {"frames": 100, "chunks": 17, "batches": 2}
    job["phase"] = "encoding"
    for shares in (0, 2, 2, 6):
        follower.see({**job, "shares": {"done": shares, "total": 6}})
    assert seen.frames == [0, 33, 33, 100]
    follower.see({**job, "batches": {"done": 1, "total": 2}})
    assert seen.batches == [0, 0, 0, 0, 1]
    follower.see({**job, "phase": "ended", "shares": {"done": 6, "total": 6}})
    assert seen.begun == ["index", "anchors", "encode", "stitch"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("cdk.json: log_days must be one of 1, not 6", "a setting is wrong: log_days"),
        ("npm error code ENOTFOUND", "npm cannot get aws-cdk@"),
        ("'MemorySize' value failed to satisfy constraint: less than or equal to 3008",
         "at most 3,008 MB"),
        ("The security token included in the request is expired", "log in again"),
        ("User: x is not authorized to perform: iam:CreateRole", "lack a right"),
        ("Stack is in ROLLBACK_COMPLETE state", "excamera destroy"),
        ("something nobody has seen", "something nobody has seen"),
    ],
)  # fmt: skip
def test_failures_of_a_deployment_are_explained(line: str, said: str) -> None:
    """If this fails, a user has to know what CloudFormation means."""
    assert said in explain(["before", line, "after"])


def test_the_timeline_is_read_to_its_end() -> None:
    """If this fails, the page of a long film lacks tasks, or its dollars are not the job's."""
    usual = {"queued": None, "started": 10.0, "fetched": 10.5, "computed": None, "stored": None,
             "worker": "w", "peak_memory_mib": 90, "span": None}  # fmt: skip
    pages = {
        None: {"attempts": [
            {**usual, "task": "plan", "step": "plan", "batch": None, "share": None,
             "attempt": 1, "outcome": "done", "finished": 12.0},
        ], "next": "encode-000003-000004/1"},
        "encode-000003-000004/1": {"attempts": [
            {**usual, "task": "encode-000003-000004", "step": "encode", "batch": 3, "share": 4,
             "attempt": 2, "outcome": "SourceUnavailable", "finished": 11.0},
        ], "next": None},
    }  # fmt: skip

    def respond(_method: str, path: str, _body: bytes, _headers: dict[str, str]) -> Answer:
        url, _, query = path.partition("?")
        assert url == "/jobs/j/timeline"
        return 200, json.dumps(pages[parse_qs(query).get("next", [None])[0]]).encode(), {}

    cost = {"so_far_usd": 0.08, "gb_seconds": {"plan": 1.0, "encode": 3.0, "start": 1.0}}
    job = {"id": "j", "seconds": {"plan": 2.0, "encode": 1.0}, "cost": cost}
    with serving(respond) as url:
        plan, encode = records(client(url), job)
        free = records(client(url), {**job, "cost": None})
    assert (plan.name, plan.error, plan.event, plan.attempts) == ("plan", None, {}, 1)
    assert (encode.name, encode.error, encode.attempts) == ("encode", "SourceUnavailable", 2)
    assert encode.event == {"batch": 3, "share": 4}
    assert encode.marks == {"fetched": 10.5}
    assert [plan.dollars, encode.dollars] == pytest.approx([0.02, 0.06])
    assert [one.dollars for one in free] == [0, 0]


def test_the_pace_of_a_ladder_is_of_all_its_sizes() -> None:
    """If this fails, an estimate like a ladder's job takes the time of all sizes for one."""
    options = EncodeOptions().with_texts({"ladder": "1080p,720p", "container": "mpd"})
    film = {"frames": 240, "width": 1920, "height": 1080, "duration_s": 10.0, "sound": 1, "bits": 8}
    job = {"state": "succeeded", "film": film, "options": options.to_json()}

    def respond(_method: str, path: str, _body: bytes, _headers: dict[str, str]) -> Answer:
        told = {"attempts": [], "next": None} if path.startswith("/jobs/j/timeline") else job
        return 200, json.dumps(told).encode(), {}

    with serving(respond) as url:
        _, _, found = attempts_of(client(url), "j")
    assert found.rungs == 2
    assert found.pixels == 1920 * 1080 + 1280 * 720
