"""What the console's server gives of a finished job: its film or files, and its report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from emulator.runs import until
from excamera.console.urls import SignedPaths
from excamera.errors import ApiRefused
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from tests.console.callers import Caller


def test_a_player_gets_the_parts_that_it_asks_for(caller: Caller, done: dict[str, Any]) -> None:
    """If this fails, players cannot go to a place in a result, or get wrong bytes."""
    path = done["result"]["url"].removeprefix(caller.address)
    whole = caller.ask("GET", path)[2]
    size = len(whole)
    for asked, part in (
        ("bytes=0-0", whole[:1]),
        ("bytes=10-19", whole[10:20]),
        (f"bytes={size - 5}-", whole[-5:]),
        ("bytes=-7", whole[-7:]),
        (f"bytes=5-{size + 99}", whole[5:]),
    ):
        status, headers, body = caller.ask("GET", path, Range=asked)
        assert (status, body) == (206, part), asked
        first = whole.index(part) if len(part) > 1 else 0
        assert headers["content-range"] == f"bytes {first}-{first + len(part) - 1}/{size}"
    assert caller.ask("GET", path, Range=f"bytes={size}-")[0] == 416
    status, headers, body = caller.ask("HEAD", path)
    assert (status, headers["content-length"], body) == (200, str(size), b"")


def test_addresses_prove_only_what_they_were_made_for(caller: Caller, done: dict[str, Any]) -> None:
    """If this fails, the address of one result opens others, or for ever."""
    path = done["result"]["url"].removeprefix(caller.address)
    assert caller.ask("GET", path[:-1] + ("0" if path[-1] != "0" else "1"))[0] == 403
    assert caller.ask("GET", path.replace("/results/", "/results/x"))[0] == 403
    assert caller.ask("PUT", path)[0] == 403
    late = SignedPaths("secret", clock=lambda: 5000.0)
    query = dict(one.split("=") for one in late.sign("GET", "/a").partition("?")[2].split("&"))
    assert late.proves("GET", "/a", query)
    assert late.proves("HEAD", "/a", query)
    assert not late.proves("GET", "/b", query)
    assert not late.proves("PUT", "/a", query)
    assert not SignedPaths("other", clock=lambda: 5000.0).proves("GET", "/a", query)
    assert not SignedPaths("secret", clock=lambda: 9000.0).proves("GET", "/a", query)


def test_a_report_is_asked_for_and_then_there(caller: Caller, done: dict[str, Any]) -> None:
    """If this fails, the console has reports that the API has not, or they can call it."""
    path, proof = f"/jobs/{done['id']}/report", caller.proof
    for method in ("GET", "POST"):
        assert caller.ask(method, path)[0] == 403
        assert caller.ask(method, "/jobs/nobody/report", Authorization=proof)[0] == 404
    assert caller.ask("GET", path, Authorization=proof)[0] == 404
    status, _, body = caller.ask("POST", path, Authorization=proof)
    assert (status, json.loads(body)["state"]) == (202, "making")
    told = until(lambda: one if (one := caller.api.get(path))["state"] != "making" else None)
    assert told["state"] == "made"
    page, facts = (split.path + "?" + split.query for split in
                   (urlsplit(told[name]) for name in ("url", "facts_url")))  # fmt: skip
    status, headers, body = caller.ask("GET", page)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert headers["content-security-policy"].startswith("sandbox allow-scripts ")
    assert "allow-same-origin" not in headers["content-security-policy"]
    assert b"data-pan" in body
    status, _, body = caller.ask("GET", facts)
    [run] = json.loads(body)["runs"]
    assert (run["bytes"], run["frame_count"]) == (done["result"]["size"], done["result"]["frames"])
    assert run["quality"]["frames"] == run["frame_count"]
    # It is there: nobody makes it again.
    again = caller.api.ask_for(path)
    assert again["state"] == "made"
    for bare in (page, facts):
        assert caller.ask("GET", bare.partition("?")[0])[0] == 403


def test_a_ladder_is_made_like_any_job(caller: Caller, film: Path, tmp_path: Path) -> None:
    """If this fails, somebody gets other files of a ladder from the console, or not all of them."""
    options = {"codec": "vp9", "ladder": "48p,32p"}
    done = caller.ended(caller.submit(film, **options)["id"])
    assert done["state"] == "succeeded", done["failure"]
    result = done["result"]
    mine = encode_file(str(film), tmp_path / "a film.mpd", EncodeOptions().with_texts(options))
    assert result["key"] == mine.path.name
    assert [one["name"] for one in result["files"]] == [path.name for path in mine.files]
    assert [one["rung"] for one in result["files"]] == ["48p", "32p", None, None]
    types = {"mpd": "application/dash+xml", "webm": "video/webm"}
    for one, path in zip(result["files"], mine.files, strict=True):
        where = one["url"].removeprefix(caller.address)
        status, headers, body = caller.ask("GET", where)
        assert (status, headers["content-type"]) == (200, types[path.suffix[1:]])
        assert body == path.read_bytes()
        assert len(body) == one["size"]
        assert caller.ask("GET", where.partition("?")[0])[0] == 403
    assert result["size"] == sum(one["size"] for one in result["files"])
    assert caller.ask("GET", result["url"].removeprefix(caller.address))[2] == body

    path = f"/jobs/{done['id']}/report"
    caller.api.ask_for(path)
    told = until(lambda: one if (one := caller.api.get(path))["state"] != "making" else None)
    assert told["state"] == "made", told
    *sizes, whole = json.loads(
        caller.ask("GET", told["facts_url"].removeprefix(caller.address))[2]
    )["runs"]
    assert [(run["height"], run["quality"]["frames"]) for run in sizes] == [(48, 26), (32, 26)]
    assert whole["bytes"] == result["size"]


def test_a_ladder_whose_files_no_disk_can_name_is_refused(caller: Caller) -> None:
    """If this fails, a film is sent and encoded before its files turn out to have no names."""
    request = {"upload": True, "name": "\u6620" * 70 + ".mp4", "size": 1}
    ladder = {**request, "options": {"ladder": "48p"}}
    with pytest.raises(ApiRefused, match="at most 200 bytes"):
        caller.api.post("/jobs", ladder, idempotency_key="long names")
    allowed, _ = caller.api.post("/jobs", request, idempotency_key="long name")
    assert caller.api.delete(f"/jobs/{allowed['id']}")["state"] == "stopped"
