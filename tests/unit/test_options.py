"""The table of options, and what is made from it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from pydantic import ValidationError

import codec
from excamera.api.refusals import Unprocessable
from excamera.api.requests import JobRequest, Options
from excamera.cli.encode import encode
from excamera.cli.estimate import estimate
from excamera.cli.jobs import check_ending
from excamera.cli.submit import ask_for, submit
from excamera.errors import OptionError, UnknownOutputFormat
from excamera.job.codecs import MANIFESTS
from excamera.job.encoders import QI_OF_CRF, RebaseSettings, VpxSettings
from excamera.job.options import OFFERED, OPTIONS, EncodeOptions
from excamera.job.rules import Option, Value
from functions.api.jobs import Jobs

_CHOICES = [option for option in OPTIONS if option.rule.choices]
_SWITCHES = [option for option in OPTIONS if option.rule.switch]
_TEXTS = [option for option in OPTIONS if option.rule.form]
_NUMBERS = [option for option in OPTIONS if option not in (*_CHOICES, *_SWITCHES, *_TEXTS)]
_EXAMPLES = {
    "start": ("90", "1:30", "00:01:30.5"),
    "duration": ("0.04", "1:00"),
    "fps": ("24", "24000/1001"),
    "crop": ("16:17:2:4",),
    "scale": ("-2:480", "640x360", "1080p"),
    "ladder": ("1080p", "1080p,720p,480p", "480p, 720p"),
    "vf": ("unsharp", "split[a][b];[a][b]overlay"),
    "audio": ("2", "eng", "none", "en-GB"),
    "bitrate": ("2000", "2M", "0.5M", "800k", "1500.5"),
    "size": ("700M", "1.2G", "500000"),
    "target-ssim": ("15", "0.97", "12.5"),
    "target-psnr": ("40", "38.5"),
    "zones": ("0-0:45=+10,1:10:00-end=30", "90 - 91.5 = -3", "5-end=0, 1-5=63"),
}
"""Texts that are taken."""
_NONSENSE = {
    "start": ("1:60", "-1", "1m", "0:99:00", "1:2:3:4", "9" * 30),
    "duration": ("0", "0:00", "x"),
    "fps": ("0", "x", "24/0"),
    "crop": ("16:16", "0:16:0:0", "16:16:1:0", "16:16:-2:0", "a:b:c:d"),
    "vf": (),
    "audio": ("0", "-1", "1,,2", "none,1", "e"),
    "ladder": ("720", "640x360", "720p,", "720p,720p", "720p,721p", "8p"),
    "scale": ("-1:-2", "0:16", "16", "-3:16", "w:h", "0p", "1p", "1080i", "-720p"),
    "bitrate": ("0", "-1", "2 Mbit", "x", "20000M"),
    "size": ("0", "10", "7T", "big"),
    "target-ssim": ("0", "0.1", "99", "15k", "1.0.0"),
    "target-psnr": ("0", "5", "100", "high"),
    "zones": (
        "10=5",
        "10-9=+1",
        "end-10=5",
        "0-10=",
        "0-10=64",
        "0-10=5;",
        "0-10=1,9-12=2",
        "0-end=1,3-4=2",
    ),
}
"""Texts that are refused."""


def _with(option: Option, value: object) -> EncodeOptions:
    """The defaults but for one option, with a codec that has every value of it."""
    codecs = {"container": "vp9", "depth": "av1"}
    ladder = "720p" if value in MANIFESTS else ""
    options = EncodeOptions(codec=codecs.get(option.field, "vp8"), ladder=ladder)
    changed: dict[str, Any] = {option.field: value}
    if not option.group:
        return replace(options, **changed)
    group = replace(getattr(options, option.group), **changed)
    return replace(options, **{option.group: group})


def _wrong() -> list[Any]:
    cases = [(option, value) for option in _CHOICES for value in ("nonsense", 1, None)]
    cases += [(option, value) for option in _SWITCHES for value in ("true", 1, None)]
    cases += [(option, value) for option in _TEXTS for value in (*_NONSENSE[option.name], 1, None)]
    for option in _NUMBERS:
        rule = option.rule
        cases += [(option, value) for value in (rule.lowest - 1, rule.highest + 1, "1", 1.0, True)]
    return [pytest.param(*case, id=f"{case[0].name}-{case[1]!r}") for case in cases]


@pytest.mark.parametrize(("option", "value"), _wrong())
def test_what_a_rule_does_not_allow_is_refused_by_name(option: Option, value: object) -> None:
    """If this fails, a mistyped option reaches the encoder."""
    with pytest.raises(OptionError, match=re.escape(option.name)):
        _with(option, value)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_what_a_rule_allows_is_taken(option: Option) -> None:
    """If this fails, an option cannot be set to a value that its help text offers."""
    rule = option.rule
    numbers = (rule.lowest, rule.highest, option.default)
    texts = ("", *_EXAMPLES[option.name]) if rule.form else ()
    for value in rule.choices or texts or ((True, False) if rule.switch else numbers):
        assert EncodeOptions.from_json(_with(option, value).to_json()) == _with(option, value)


def test_settings_are_checked_wherever_they_are_made() -> None:
    """If this fails, settings that no option of the command line names escape validation."""
    for wrong in ({"tune": "nonsense"}, {"lag_in_frames": -5}, {"auto_alt_ref": 9}):
        with pytest.raises(OptionError):
            VpxSettings(**wrong)  # type: ignore[arg-type]
        with pytest.raises(OptionError):
            EncodeOptions.from_json({"vpx": wrong})
    with pytest.raises(OptionError):
        RebaseSettings(128)


@pytest.mark.parametrize("unknown", [{"quality": 3}, {"vpx": {"quality": 3}}])
def test_unknown_names_are_refused(unknown: dict[str, Any]) -> None:
    """If this fails, a misspelt option in the stack's settings is ignored."""
    with pytest.raises(OptionError, match="quality"):
        EncodeOptions.from_json(unknown)


def test_options_as_text_replace_those_they_name() -> None:
    """If this fails, x-amz-meta-excamera-crf has no effect."""
    options = EncodeOptions(crf=20).with_texts(
        {
            "crf": " 30 ",
            "chunk-frames": "12",
            "mode": "rebase",
            "effort": "4",
            "deadline": "best",
            "cpu-used": "-2",
            "strict": " True ",
            "deinterlace": "false",
        }
    )
    assert (options.crf, options.chunk_frames, options.batch_chunks) == (30, 12, 16)
    assert (options.vpx.deadline, options.vpx.cpu_used) == ("best", -2)
    assert (options.mode, options.anchors.effort) == ("rebase", 4)
    assert (options.strict, options.deinterlace, options.damaged) == (True, False, False)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"crf": "high"}, "crf must be a whole number, not 'high'"),
        ({"crf": "99"}, "crf must be 0 to 63, not 99"),
        ({"quality": "3"}, "there is no option 'quality'; there are preset, codec, chunk-frames"),
        ({"deadline": "soon"}, "deadline must be one of"),
        ({"strict": "1"}, "strict must be true or false, not '1'"),
        ({"tune": "ssim"}, "there is no option 'tune'"),
    ],
)
def test_wrong_options_are_refused_by_name(given: dict[str, str], words: str) -> None:
    """If this fails, a typing error in an upload's metadata is taken for something else."""
    with pytest.raises(OptionError, match=re.escape(words)):
        EncodeOptions().with_texts(given)


@pytest.mark.parametrize("command", [encode, submit, estimate], ids=lambda command: command.name)
def test_the_command_line_offers_the_table(command: click.Command) -> None:
    """If this fails, an option of the table cannot be given to a command."""
    found = {name: parameter for parameter in command.params for name in parameter.opts}
    for option in OFFERED:
        if command is encode and not option.rule.local:
            assert f"--{option.name}" not in found
            continue
        parameter = found[f"--{option.name}"]
        assert parameter.name == option.field
        assert not option.rule.flag or option.rule.flag in parameter.opts
        assert parameter.default is None
        text = getattr(parameter, "help", None) or ""
        assert option.rule.switch or option.rule.allowed in text
        assert isinstance(parameter, click.Option)
        default = parameter.get_help_extra(click.Context(command)).get("default", "")
        assert default.strip("()") == (option.default_text if command is encode else "")
        assert option.rule.switch == (f"--no-{option.name}" in parameter.secondary_opts)


def test_no_audio_is_a_switch_of_its_own(tmp_path: Path) -> None:
    """If this fails, --no-audio keeps the sound, or --audio is not heard beside it."""
    for given, wanted in [
        (["--no-audio"], "none"),
        (["--audio", "2"], "2"),
        (["--audio", "2", "--crf", "3"], "2"),
        ([], None),
    ]:
        context = submit.make_context("submit", [*given, str(tmp_path / "a.mkv")])
        assert context.params["audio"] == wanted


def test_the_api_offers_the_table() -> None:
    """If this fails, the API takes other options, or other values, than the command line."""
    properties = Options.model_json_schema()["properties"]
    assert list(properties) == [option.field for option in OFFERED]
    for option in OFFERED:
        schema = properties[option.field]["anyOf"][0]
        if option.rule.choices:
            assert schema["enum"] == list(option.rule.choices)
        elif option.rule.switch:
            assert schema["type"] == "boolean"
        elif option.rule.form:
            assert schema["type"] == "string"
        else:
            limits = (schema["minimum"], schema["maximum"])
            assert limits == (option.rule.lowest, option.rule.highest)


def test_offered_values_make_the_same_options_again() -> None:
    """If this fails, `excamera doctor` compares the stack with other options than it asked for."""
    options = EncodeOptions(chunk_frames=7, crf=9, vpx=VpxSettings(deadline="best", cpu_used=-3))
    assert EncodeOptions().with_values(options.offered()) == options


def test_quantizer_scale() -> None:
    """If this fails, re-encoded frames have another quality than libvpx's."""
    assert len(QI_OF_CRF) == 64
    assert (QI_OF_CRF[0], QI_OF_CRF[24], QI_OF_CRF[63]) == (0, 29, 127)
    assert list(QI_OF_CRF) == sorted(QI_OF_CRF)
    assert EncodeOptions(crf=63, rebase=RebaseSettings(9)).first_frame_qi == 127


def test_the_default_effort_is_the_codecs() -> None:
    """If this fails, the command line and Python's codec try differently hard."""
    assert EncodeOptions().anchors.effort == codec.EncodeSettings().effort


@pytest.mark.parametrize(
    ("options", "ending", "sent"),
    [
        ({}, "webm", {}),
        ({"codec": "h264"}, "mp4", {"codec": "h264"}),
        ({"codec": "vp9"}, "mkv", {"codec": "vp9", "container": "mkv"}),
        ({}, "ivf", {"container": "ivf"}),
        ({"container": "mkv"}, "mkv", {"container": "mkv"}),
    ],
)
def test_the_name_of_a_download_chooses_the_container(
    options: dict[str, Value], ending: str, sent: dict[str, Value]
) -> None:
    """If this fails, `submit -o film.mkv` downloads WebM under that name."""
    asked = dict(options)
    ask_for(asked, ending)
    assert asked == sent


def test_a_download_has_the_ending_of_its_result() -> None:
    """If this fails, a result is kept under the name of another container."""
    with pytest.raises(OptionError, match=r"container is webm, but the output ends in .mkv"):
        ask_for({"container": "webm"}, "mkv")
    with pytest.raises(UnknownOutputFormat, match=r"a .webm file does not hold h264"):
        ask_for({"codec": "h264"}, "webm")
    job = {"id": "j", "output": "s3://out/film.mkv"}
    check_ending(job, Path("a.MKV"))
    with pytest.raises(OptionError, match=r"a.webm: the result of j is a .mkv file"):
        check_ending(job, Path("a.webm"))


def test_the_name_of_a_result_chooses_its_container() -> None:
    """If this fails, the API makes a file whose ending is not that of its content."""
    settings: Any = SimpleNamespace(default_options=EncodeOptions(crf=30).to_json())
    nothing: Any = None
    jobs = Jobs(settings, nothing, nothing, nothing, nothing, nothing)

    def chosen(**request: Any) -> dict[str, Any]:
        return jobs._options(JobRequest(source="s3://bucket/film.mp4", **request))

    assert chosen(output="a.mkv", options={"codec": "av1"})["container"] == "mkv"
    assert chosen(options={"codec": "h264"})["container"] == "auto"
    with pytest.raises(Unprocessable, match=r"output: must end in .ivf, the container"):
        chosen(output="a.mkv", options={"container": "ivf"})
    with pytest.raises(Unprocessable, match="container must be mp4 or mkv for h264, not webm"):
        chosen(output="a.webm", options={"codec": "h264"})
    with pytest.raises(Unprocessable, match="effort is for vp8: leave it out for vp9"):
        chosen(options={"codec": "vp9", "effort": 3})
    with pytest.raises(ValidationError, match="within is for vp8 only"):
        chosen(options={"codec": "vp9"}, within_s=30)
    with pytest.raises(ValidationError):
        chosen(output="a.avi")


def test_what_a_stack_is_told_of_its_options_is_short_and_enough() -> None:
    """If this fails, functions run with other options than the stack's, or lack room for them."""
    assert EncodeOptions().changed() == {}
    for options in (
        EncodeOptions(crf=30, start="1:30", deinterlace=False),
        EncodeOptions(codec="h264", crf=20),
        EncodeOptions().with_values({"effort": 4, "cpu_used": 3}),
    ):
        assert EncodeOptions.from_json(options.changed()) == options
    assert EncodeOptions(codec="av1").changed() == {"codec": "av1"}
    assert EncodeOptions().with_values({"effort": 4}).changed() == {"anchors": {"effort": 4}}
