"""Commands use the account that the usual variables name."""

from __future__ import annotations

from pathlib import Path

import pytest

from excamera.cloud.account import Account
from excamera.errors import NoRegion

OUTPUT = "https://abc123.execute-api.eu-west-1.amazonaws.com/v1/"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration but credentials."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_either_variable_names_the_region(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """If this fails, a stack is deployed into, or looked for in, another region than was meant."""
    monkeypatch.setenv(name, "eu-west-1")
    assert Account().region == "eu-west-1"


def test_no_region_is_said_so() -> None:
    """If this fails, a user without configuration gets a traceback."""
    with pytest.raises(NoRegion, match="AWS_REGION"):
        Account().region  # noqa: B018 (it raises)


@pytest.mark.parametrize(
    ("variable", "value", "url"),
    [
        ("AWS_USE_DUALSTACK_ENDPOINT", "true", OUTPUT.rstrip("/")),
        ("AWS_USE_FIPS_ENDPOINT", "true", OUTPUT.rstrip("/")),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1", "http://127.0.0.1:1/_aws/execute-api/abc123/v1"),
    ],
)
def test_the_api_is_called_where_it_is(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, url: str
) -> None:
    """If this fails, commands take AWS for an emulator, or the other way round."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv(variable, value)
    assert Account().api_url(OUTPUT) == url
