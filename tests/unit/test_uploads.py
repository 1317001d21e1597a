"""From an upload's event to the job it starts."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from excamera.job.codecs import CODECS, container_for
from excamera.lifecycle import uploads
from excamera.lifecycle.uploads import job_of_upload, marked
from mu import ObjectUrl, StoreDenied


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
    assert ObjectUrl.parse(made["input"]["path"]) == ObjectUrl("in", key, "v1")
    assert made["output"] == {"store": "s3://out", "key": f"{key.rpartition('.')[0]}.webm"}


@pytest.mark.parametrize(
    ("key", "begins"),
    [
        ("nočný-čd-1.mp4", "nocny-cd-1-"),
        ("Große Straße, Øre.mp4", "Grosse-Strasse-Ore-"),
        ("映画.mp4", "xn--liv394a-"),
        ("ночь_1.mp4", "xn--m1ac1au-1-"),
        ("My film (final).mp4", "My-film-final-"),
        ("a" * 60 + ".mp4", "a" * 40 + "-"),
        ("one " * 9 + "eleven.mp4", "one-" * 9 + "elev-"),
        ("one " * 9 + "映画.mp4", "one-" * 9),
    ],
)
def test_a_name_in_any_alphabet_is_still_one(key: str, begins: str) -> None:
    """If this fails, jobs of films with other letters have names that nobody recognises."""
    name = job(key)["job"]
    assert re.fullmatch(re.escape(begins) + "[0-9a-f]{20}", name)
    assert len(name) <= 80


def test_words_of_other_alphabets_can_be_read_back() -> None:
    """If this fails, a name stands for another file's name, or for none."""
    for word in ("映画", "ночь", "한국어", "हिन्दी"):
        label = job(f"{word}.mp4")["job"].rpartition("-")[0]
        assert label.removeprefix("xn--").encode().decode("punycode") == word


def test_the_size_of_an_upload_travels_with_its_job() -> None:
    """If this fails, lists of jobs lack the sizes of their sources."""
    told = detail("f.mp4")
    assert job_of_upload(told, options={}, output_store="s3://out")["size"] is None
    told["object"]["size"] = 7
    assert job_of_upload(told, options={}, output_store="s3://out")["size"] == 7


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


@pytest.mark.parametrize("codec", CODECS)
def test_a_result_is_named_after_its_container(codec: str) -> None:
    """If this fails, a result has an ending that its content is not."""
    told = detail("films/a.b.mp4")
    options = {"codec": codec}
    made = job_of_upload(told, options=options, output_store="s3://out")
    usual = "mp4" if codec == "h264" else "webm"
    assert (made["container"], made["output"]["key"]) == (usual, f"films/a.b.{usual}")
    options["container"] = "mkv"
    made = job_of_upload(told, options=options, output_store="s3://out")
    assert (made["container"], made["output"]["key"]) == ("mkv", "films/a.b.mkv")
    assert container_for(codec) == usual


@pytest.mark.parametrize(
    ("metadata", "key"),
    [
        ({}, "film.webm"),
        ({"excamera-codec": "h264"}, "film.mp4"),
        ({"excamera-codec": "av1", "excamera-container": "ivf"}, "film.ivf"),
        ({"excamera-container": "mkv", "excamera-crf": "nonsense"}, "film.mkv"),
        ({"excamera-codec": "h264", "excamera-container": "webm"}, "film.webm"),
        ({"excamera-codec": "h265"}, "film.webm"),
    ],
)
def test_metadata_name_the_result(
    metadata: dict[str, str], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, the result of an upload that asks for a codec has another one's ending."""
    found = SimpleNamespace(metadata={**metadata, "excamera-tag": "7", "excamera-priority": "3"})
    monkeypatch.setattr(uploads, "look_up", lambda _url: found)
    made = marked(job("film.mp4"))
    assert made["output"] == {"store": "s3://out", "key": key}
    assert made["container"] == key.rpartition(".")[2]
    assert (made["tag"], made["priority"]) == (7, 3)


def test_a_job_starts_although_its_source_cannot_be_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, an upload that the start function may not read makes no job that says so."""

    def denied(_url: str) -> None:
        raise StoreDenied("no")

    monkeypatch.setattr(uploads, "look_up", denied)
    assert marked(job("film.mp4")) == job("film.mp4")
