"""The account's bootstrap of the CDK, which may have another qualifier than the CDK's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emulator import Emulator
from excamera.cloud import cdk
from excamera.cloud.account import Account
from excamera.cloud.deploy import look
from excamera.cloud.project import Project, project
from excamera.errors import DeploymentFailed

pytestmark = pytest.mark.aws


def project_with(folder: Path, qualifier: str | None) -> Project:
    """Makes a folder with a cdk.json; returns the app with its settings."""
    folder.mkdir()
    context = {} if qualifier is None else {cdk.QUALIFIER: qualifier}
    (folder / "cdk.json").write_text(json.dumps({"context": context}))
    return Project(project().app, folder)


def test_the_bootstrap_with_the_qualifier_of_the_context_counts(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, `excamera deploy` refuses an account whose bootstrap has a qualifier."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    for qualifier, version in ((cdk.USUAL_QUALIFIER, 30), ("films", 21), ("old", 3)):
        emulator.client("ssm").put_parameter(
            Name=f"/cdk-bootstrap/{qualifier}/version", Value=str(version), Type="String",
            Overwrite=True,
        )  # fmt: skip
    seen = {}
    for number, qualifier in enumerate((None, "films", "old", "other")):
        deployed = project_with(tmp_path / str(number), qualifier)
        seen[qualifier] = look(Account(), "Absent", deployed, {})
        given = look(Account(), "Absent", deployed, {cdk.QUALIFIER: "films"})
        assert (given.qualifier, given.bootstrap) == ("films", 21)
    assert {name: one.bootstrap for name, one in seen.items()} == {
        None: 30, "films": 21, "old": 3, "other": None,
    }  # fmt: skip
    seen[None].check()
    seen["films"].check()
    for qualifier in ("old", "other"):
        with pytest.raises(DeploymentFailed, match=f"with the qualifier {qualifier}[ :]"):
            seen[qualifier].check()


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the CDK's command line is called with, line by line."""
    node = tmp_path / "node"
    (node / "bin").mkdir(parents=True)
    (node / "bin" / "node").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (node / "bin" / "node").chmod(0o755)
    monkeypatch.setattr(cdk, "node", lambda: node)
    return []


def test_bootstrapping_leaves_other_bootstraps_alone(arguments: list[str], tmp_path: Path) -> None:
    """If this fails, `--bootstrap` changes the bootstrap on which other stacks stand."""
    for qualifier in (None, "films"):
        one = project_with(tmp_path / str(qualifier), qualifier)
        cdk.Cdk(one, {}, {}, arguments.append).run("bootstrap", "aws://1/eu-west-1")
    without, given = "\n".join(arguments).split(cdk.PACKAGE)[1:]
    assert "--qualifier" not in without
    assert "--qualifier\nfilms\n--toolkit-stack-name\nCDKToolkit-films\n" in given


def test_a_deployment_may_have_another_qualifier(arguments: list[str], tmp_path: Path) -> None:
    """If this fails, `-c` bootstraps with one qualifier and deploys with another."""
    folder = project_with(tmp_path / "project", "films").here
    (folder / "app.py").write_text(
        "import json, os; from pathlib import Path; print(os.environ['CDK_CONTEXT_JSON'])\n"
        "Path(os.environ['CDK_OUTDIR'], 'Films.template.json').touch()\n"
    )
    given = {cdk.QUALIFIER: "other"}
    deployment = cdk.Cdk(Project(folder, folder), {}, given, arguments.append)
    deployment.synthesise(tmp_path)
    assert json.loads(arguments.pop()) == given
    deployment.run("bootstrap", "aws://1/eu-west-1")
    assert "--qualifier\nother\n--toolkit-stack-name\nCDKToolkit-other\n" in "\n".join(arguments)


def test_a_synthesis_knows_the_region(arguments: list[str], tmp_path: Path) -> None:
    """If this fails, `excamera deploy` finds out only from CloudFormation what a region lacks."""
    folder = project_with(tmp_path / "project", None).here
    (folder / "app.py").write_text(
        "import os; from pathlib import Path; print(os.environ['CDK_DEFAULT_REGION'])\n"
        "Path(os.environ['CDK_OUTDIR'], 'Films.template.json').touch()\n"
    )
    synthesis = cdk.Cdk(Project(folder, folder), {"AWS_REGION": "eu-north-1"}, {}, arguments.append)
    assert synthesis.synthesise(tmp_path) == "Films"
    assert arguments == ["eu-north-1"]
