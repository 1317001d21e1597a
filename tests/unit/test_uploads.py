"""From an upload's event to the job it starts."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from excamera.job.plan import Output, SourceFile
from excamera.lifecycle.uploads import job_of_upload, publish
from mu import NoSuchKey
from mu.store.s3.bucket import S3Object, S3Store, parse_url


def detail(key: str, version: str = "v1", bucket: str = "in") -> dict[str, Any]:
    return {
        "bucket": {"name": bucket},
        "object": {"key": key, "version-id": version, "sequencer": "007"},
    }


def job(key: str, version: str = "v1", bucket: str = "in") -> dict[str, Any]:
    return job_of_upload(detail(key, version, bucket), options={"crf": 30}, output_store="s3://out")


@pytest.mark.parametrize(
    "key",
    [
        "film.mp4",
        "a b/Été à Zürich + more (1).MOV",
        "100%/日本.mkv",
        "x?y=1&z#frag.mp4",
        "//two//slashes.mp4",
        ".mp4",
        "a" * 1000 + ".mp4",
    ],
)
def test_any_key_makes_a_name_that_step_functions_takes_and_a_url_that_leads_back(
    key: str,
) -> None:
    """If this fails, uploads with such keys start nothing, or read another object."""
    made = job(key)
    assert re.fullmatch(r"[A-Za-z0-9-]{1,80}", made["job"])
    assert parse_url(made["input"]["path"]) == ("in", key, "v1")
    assert made["output"] == {"store": "s3://out", "key": f"{key.rpartition('.')[0]}.webm"}


def test_one_upload_is_one_job_and_another_version_another() -> None:
    """If this fails, a doubled event encodes twice, or a new version is not encoded."""
    assert job("film.mp4") == job("film.mp4")
    names = {
        job("film.mp4")["job"],
        job("film.mp4", version="v2")["job"],
        job("film.mp4", bucket="other")["job"],
        job("a/film.mp4")["job"],
    }
    assert len(names) == 4


def test_without_versions_the_sequencer_tells_uploads_apart() -> None:
    """If this fails, uploading again to a bucket without versions starts nothing."""
    first, second = detail("f.mp4", ""), detail("f.mp4", "")
    second["object"]["sequencer"] = "008"
    made = [job_of_upload(d, options={}, output_store="s3://out") for d in (first, second)]
    assert made[0]["job"] != made[1]["job"]
    assert "versionId" not in made[0]["input"]["path"]


def test_a_result_that_is_removed_meanwhile_is_stored_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, who tidies the output bucket at the wrong moment makes a job fail."""
    source = SourceFile("s3://in/film.mp4", 0, path="s3://in/film.mp4", modified="2026")
    there = [S3Object("out", "film.webm", "", 1, '"old"', datetime.now(UTC),
                      {"excamera-source": "in/film.mp4"})]  # fmt: skip
    conditions = []

    def look_up(_url: str) -> S3Object:
        if not there:
            raise NoSuchKey("film.webm")
        return there[0]

    def concat(
        _store: S3Store, _key: str, _parts: object, _request: object, condition: dict[str, str]
    ) -> int:
        conditions.append(condition)
        if there:
            there.clear()
            raise NoSuchKey("film.webm")  # what If-Match says of nothing
        return 7

    monkeypatch.setattr(S3Object, "look_up", look_up)
    monkeypatch.setattr(S3Store, "concat", concat)
    assert publish(Output("s3://out", "film.webm"), "webm", source, "job", [b"1234567"]) == 7
    assert conditions == [{"IfMatch": '"old"'}, {"IfNoneMatch": "*"}]
