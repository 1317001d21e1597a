"""Presets: what they stand for on the command line, in metadata and in the API."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from excamera.api.requests import JobRequest
from excamera.cli.main import excamera
from excamera.cli.options import by_hand, given, goal_of
from excamera.cli.presets import written_out
from excamera.cli.submit import ask_for
from excamera.errors import OptionError
from excamera.job.encoders import VpxSettings
from excamera.job.options import EncodeOptions, expanded
from excamera.job.presets import PRESETS, Preset
from excamera.job.target import Target
from excamera.lifecycle import uploads
from functions.api.jobs import Jobs


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_its_options(name: str) -> None:
    """If this fails, a preset is refused, or depends on what a stack has as its defaults."""
    options = PRESETS[name].options
    assert {"codec", "crf"} <= options.keys()
    stack = EncodeOptions(codec="vp9", crf=50, scale="99:99", vpx=VpxSettings(cpu_used=5))
    for defaults in (EncodeOptions(), stack):
        assert defaults.with_values({"preset": name}) == defaults.with_values(options)
        assert defaults.with_texts({"preset": name}) == defaults.with_values(options)
        assert "preset" not in defaults.with_values({"preset": name}).to_json()


def test_options_given_beside_it_win() -> None:
    """If this fails, what a user writes is overruled by a preset."""
    made = EncodeOptions().with_texts({"crf": "30", "preset": "h264-web", "scale": ""})
    assert (made.codec, made.crf, made.scale) == ("h264", 30, "")
    assert made.plain.h264_preset == PRESETS["h264-web"].options["h264_preset"]


def test_another_codec_has_its_own_quality_and_effort() -> None:
    """If this fails, H.264's quality is taken for that of AV1, or its effort refused."""
    made = EncodeOptions().with_values({"preset": "h264-web", "codec": "av1"})
    assert made == EncodeOptions(codec="av1", scale="1080p", tonemap=True)


def test_commands_see_the_options_and_not_the_name() -> None:
    """If this fails, an older stack is asked for what it does not know, or a goal for H.264."""
    found = given({"preset": "preview", "crf": None, "effort": None})
    assert found == PRESETS["preview"].options
    assert not by_hand({"preset": "web-720p"})
    with pytest.raises(OptionError, match="within is for vp8 only"):
        goal_of({"within": "30s", "preset": "fast"})
    assert goal_of({"within": "30s", "preset": "web-720p"}) is not None
    ask_for(found, "mp4")
    assert found == PRESETS["preview"].options


def test_a_target_takes_the_place_of_a_presets_quality() -> None:
    """If this fails, `--preset web-1080p --bitrate 2M` is refused, or its rate ignored."""
    made = EncodeOptions().with_texts({"preset": "web-1080p", "bitrate": "2M"})
    assert made.target == Target("bitrate", 2000.0)
    assert made.scale == PRESETS["web-1080p"].options["scale"]
    with pytest.raises(OptionError, match="exclude each other"):
        EncodeOptions().with_texts({"preset": "web-1080p", "bitrate": "2M", "crf": "20"})


def test_an_unknown_preset_names_those_there_are() -> None:
    """If this fails, nobody learns from the error what to write."""
    shown = CliRunner().invoke(excamera, ["encode", "--preset", "web", "a.mp4", "b.webm"])
    message = f"preset must be one of {', '.join(PRESETS)}, not 'web'"
    assert isinstance(shown.exception, OptionError)
    assert str(shown.exception) == message
    with pytest.raises(OptionError, match="preset must be one of"):
        EncodeOptions().with_texts({"preset": "web"})
    with pytest.raises(ValidationError, match="'web-1080p', 'web-720p'"):
        JobRequest.model_validate({"source": "s3://bucket/a.mp4", "options": {"preset": "web"}})


def test_the_api_takes_a_preset() -> None:
    """If this fails, a program cannot use a preset, or a job keeps its name in place of options."""
    settings: Any = SimpleNamespace(default_options=EncodeOptions(crf=30, strict=True).to_json())
    nothing: Any = None
    jobs = Jobs(settings, nothing, nothing, nothing, nothing, nothing)
    asked = {"source": "s3://bucket/a.mov", "options": {"preset": "h264-web", "crf": 20}}
    made = jobs._options(JobRequest.model_validate(asked))
    wanted = EncodeOptions(strict=True).with_values({**PRESETS["h264-web"].options, "crf": 20})
    assert made == wanted.to_json()
    with pytest.raises(ValidationError, match="within is for vp8 only"):
        JobRequest.model_validate({**asked, "within_s": 30})


def test_an_upload_with_a_preset_has_the_ending_of_its_codec(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, an upload with excamera-preset gives H.264 the name of a WebM file."""
    metadata = {"excamera-preset": "fast"}
    monkeypatch.setattr(uploads, "look_up", lambda _url: SimpleNamespace(metadata=metadata))
    event = uploads.job_of_source(
        "s3://in/a.mov", job="j", options=EncodeOptions().to_json(), output_store="s3://out"
    )
    assert event["output"]["key"] == "a.webm"
    assert uploads.marked(event)["output"]["key"] == "a.mp4"


def test_the_list_has_every_preset_as_a_user_would_write_it() -> None:
    """If this fails, what the list shows is not what a preset does."""
    shown = CliRunner().invoke(excamera, ["presets"]).output
    listed = json.loads(CliRunner().invoke(excamera, ["presets", "--json"]).output)
    assert [one["name"] for one in listed] == list(PRESETS)
    for one in listed:
        preset = Preset(one["help"], one["options"])
        assert preset == PRESETS[one["name"]]
        assert f"{one['name']}\n    {preset.help}.\n    {written_out(preset)}\n" in shown
        words = written_out(preset).split()
        context = excamera.commands["encode"].make_context("encode", [*words, "a.mp4", "b.mp4"])
        written = {name: context.params[name] for name in one["options"]}
        assert written == expanded({"preset": one["name"]})
    assert written_out(Preset("", {"deinterlace": False})) == "--no-deinterlace"
