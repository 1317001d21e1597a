"""Settings of AWS that are empty or wrong: one line says which, whatever the command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import mu.cli
from excamera import cli
from excamera.cloud.account import Account
from mu.engines.stack import deployment
from mu.store.s3 import client as s3_client

VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL")

EXCAMERA = {
    "deploy": ["--yes"],
    "destroy": ["--yes"],
    "doctor": [],
    "submit": ["s3://films/film.mp4"],
    "jobs": [],
    "status": ["j"],
    "cancel": ["j"],
    "fetch": ["j"],
    "logs": ["j"],
    "timeline": ["j"],
}
MU = {"map": ["SCRIPT:double", "--items", "ITEMS"], "cancel": ["j"], "cost": ["j"], "logs": ["j"]}


@pytest.fixture(autouse=True)
def nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without settings of AWS, but with keys."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "absent"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for kept in (deployment.client, s3_client.client):
        kept.cache_clear()
    yield
    for kept in (deployment.client, s3_client.client):
        kept.cache_clear()


@pytest.fixture
def words(tmp_path: Path) -> dict[str, str]:
    """The files that commands name."""
    script, items = tmp_path / "script.py", tmp_path / "items.jsonl"
    script.write_text("def double(item):\n    return 2 * item\n")
    items.write_text("1\n")
    return {"SCRIPT:double": f"{script}:double", "ITEMS": str(items)}


def fails(
    program: str, command: str, words: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> str:
    """Run a command that fails; returns the one line that it says."""
    main, commands = (cli.main, EXCAMERA) if program == "excamera" else (mu.cli.main, MU)
    assert main([command, *(words.get(word, word) for word in commands[command])]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{program}: ")
    return line


EVERY = pytest.mark.parametrize(
    ("program", "command"),
    [*(("excamera", one) for one in EXCAMERA), *(("mu", one) for one in MU)],
)


@EVERY
def test_empty_settings_are_none(
    program: str,
    command: str,
    words: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """If this fails, `AWS_REGION=` in a script ends in forty lines of the SDK's."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
    said = fails(program, command, words, capsys)
    assert "no region is configured: set AWS_REGION" in said


@EVERY
@pytest.mark.parametrize(
    ("variable", "value"), [("AWS_REGION", "no region!"), ("AWS_ENDPOINT_URL", "nowhere")]
)
def test_wrong_settings_are_named(
    program: str,
    command: str,
    variable: str,
    value: str,
    words: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """If this fails, a mistyped setting ends in forty lines of the SDK's."""
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.setenv(variable, value)
    said = fails(program, command, words, capsys)
    assert value in said
    assert variable in said


def test_one_variable_names_the_region_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, `mu` or a store needs AWS_DEFAULT_REGION where `excamera` does not."""
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    regions = {
        Account().region,
        deployment.client("cloudformation").meta.region_name,
        s3_client.client().meta.region_name,
    }
    assert regions == {"eu-north-1"}


def test_an_empty_profile_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, `--profile "$UNSET"` looks for a profile without a name."""
    assert Account(profile="", region="eu-north-1").region == "eu-north-1"
