"""A client that a generator makes of the API's document, with the signature of docs/api.md."""

from __future__ import annotations

import importlib
import json
import os
import re
import ssl
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest

from emulator.excamera.deployed import Deployed
from emulator.runs import PATIENCE_S, until
from excamera.cloud.account import Account
from excamera.cloud.api import Api
from tests.aws.executors import Cloud
from tests.aws.test_who_may_call import ANY, user
from tests.support.assembly import ROOT

pytestmark = [pytest.mark.aws, pytest.mark.slow]

REGION = "us-east-1"


@pytest.fixture(scope="module")
def deployed(cloud: Cloud) -> Deployed:
    """The stack where signatures are enforced."""
    return cloud.stack


@pytest.fixture(scope="module")
def document(deployed: Deployed) -> dict[str, Any]:
    """The document as that stack serves it."""
    account = Account()
    found: dict[str, Any] = Api.of_stack(account, account.stack(deployed.name)).get("/openapi.json")
    return found


@pytest.fixture(scope="module")
def generated(document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The generated package."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(json.dumps(document))
    # Without the generator's own formatting, which needs tools on the path.
    (folder / "config.yml").write_text("post_hooks: []\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"),
            *("--path", "openapi.json", "--config", "config.yml"),
            *("--output-path", "generated_client", "--fail-on-warning"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        return importlib.import_module("generated_client")


@pytest.fixture
def signed(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The class of docs/api.md, with the keys of a user who may call everything.

    The emulator takes the account's owner without a signature, so it is not the owner.
    """
    caller = user(cloud.emulator, "generated", ANY).__self__  # type: ignore[attr-defined]
    keys = caller._session.get_credentials()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_key)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    page = (ROOT / "docs" / "api.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    return namespace["Signed"](REGION)


def test_a_generated_client_runs_a_job(
    generated: ModuleType, deployed: Deployed, document: dict[str, Any], signed: Any, clip: Path
) -> None:
    """If this fails, programs in other languages cannot use a client made of the document."""
    models = importlib.import_module("generated_client.models")
    create, get = (
        importlib.import_module(f"generated_client.api.default.{name}")
        for name in ("create_job", "get_job")
    )
    trusted = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
    address = {"base_url": document["servers"][0]["url"], "verify_ssl": trusted}
    deployed.upload("in/generated.bin", clip)
    request = models.JobRequest(
        source=f"s3://{deployed.outputs['InputBucket']}/in/generated.bin",
        options=models.Options(crf=40),
        tag={"order": 7},
    )

    with generated.Client(**address) as unsigned:
        assert isinstance(create.sync(client=unsigned, body=request), models.Problem)
    with generated.Client(**address, httpx_args={"auth": signed}) as client:
        job = create.sync(client=client, body=request, idempotency_key=str(uuid4()))
        assert isinstance(job, models.Job), job

        def ended() -> Any:
            found = get.sync(job.id, client=client)
            assert isinstance(found, models.Job), found
            return found if found.phase == "ended" else None

        done = until(ended, PATIENCE_S)
        assert done.state == "succeeded", done
        assert done.options["crf"] == 40
        assert done.result.frames == 26
        assert done.size == clip.stat().st_size
        assert get.sync("no-such-job", client=client).error == "NoSuchJob"
