"""The template in the regions of AWS's three public partitions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import cfnlint
import pytest

from emulator.excamera.synthesis import STACK
from stacks import regions
from stacks.settings import SettingError
from tests.support.assembly import ROOT, built
from tests.support.emulator import an_emulator

EVERYTHING: dict[str, Any] = {
    "webhook_url": "https://example.com/jobs", "alarm_email": "a@example.com",
    "tags": {"team": "films"}, "mu_server": "valkey", "cors_origins": ["https://films.example"],
    "api_auth": "key", "kms_key": "create", "api_logs": "own-role", "source_days": 30,
    "api_domain": "api.films.example",
    "api_certificate_arn": "arn:aws:acm:eu-west-1:123456789012:certificate/0b6e7a5c",
}  # fmt: skip
"""Every optional part but the budget and CloudFront, which some regions lack."""

PARTITIONS = ("us-east-1", "eu-north-1", "us-gov-east-1", "cn-northwest-1")
"""One of each, and the smallest ones."""

REGISTRY = Path(cfnlint.__file__).parent / "data" / "schemas" / "providers"


def lint(folder: Path, *regions: str, stack: str = STACK) -> str:
    """Returns what cfn-lint says of a template in regions."""
    program = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [str(program), "-r", *regions, "--", str(folder / f"{stack}.template.json")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stack with every optional part but the budget."""
    folder = tmp_path_factory.mktemp("everything")
    built(folder, **EVERYTHING)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("region", PARTITIONS)
def test_every_resource_exists_in_the_regions(everything: Path, region: str) -> None:
    """If this fails, CloudFormation in a region does not know a resource of the stack."""
    assert lint(everything, region) == ""


def test_no_partition_is_written_out(everything: Path) -> None:
    """If this fails, the stack names resources of another partition than its own."""
    template = (everything / f"{STACK}.template.json").read_text()
    template = template.replace(EVERYTHING["api_certificate_arn"], "the user's own")
    assert "arn:aws:" not in template
    assert "arn:aws-" not in template
    assert ".amazonaws.com/" not in template
    for region in PARTITIONS:
        assert region not in template


@pytest.mark.slow
def test_the_longest_names_and_the_most_tags_fit(tmp_path: Path) -> None:
    """If this fails, a stack with a long name or many tags does not deploy."""
    name = "S" * 128
    built(tmp_path, **{**EVERYTHING, "stack_name": name,
                       "tags": {f"{n:03}{'k' * 30}": "v" * 30 for n in range(45)}})  # fmt: skip
    assert lint(tmp_path, "us-east-1", stack=name) == ""


def test_budgets_are_known_to_be_missing_where_they_are() -> None:
    """If this fails, a budget is refused where it can be made, or asked for where it cannot."""
    without = {
        file.stem
        for file in REGISTRY.glob("*.json")
        if "iso" not in file.stem and file.stem not in ("sam", "eusc-de-east-1")
        and "AWS::Budgets::Budget" not in json.loads(file.read_text())
    }  # fmt: skip
    assert without == regions.WITHOUT_BUDGETS


def test_every_service_is_in_every_region_of_the_partitions() -> None:
    """If this fails, docs/account.md says of a region that it has a service which it lacks."""
    session = boto3.Session()
    counts = {}
    for partition in ("aws", "aws-us-gov", "aws-cn"):
        there = {
            service: set(session.get_available_regions(service, partition))
            for service in ("xray", "lambda", "stepfunctions", "events", "apigateway", "kms",
                            "elasticache", "sqs", "sns", "logs", "secretsmanager")
        }  # fmt: skip
        everywhere = there["s3"] = set(session.get_available_regions("s3", partition))
        assert not {service for service, found in there.items() if everywhere - found}
        counts[partition] = len(everywhere)
    assert counts == {"aws": 34, "aws-us-gov": 2, "aws-cn": 2}
    page = (ROOT / "docs" / "account.md").read_text()
    assert f"in all of {counts['aws']} regions" in page
    assert f"`budget_usd` in {len(regions.WITHOUT_BUDGETS) - counts['aws-us-gov']} regions" in page


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ("us-gov-west-1", "budget_usd: CloudFormation in us-gov-west-1 cannot make budgets"),
        ("eu-north-1", "budget_usd: CloudFormation in eu-north-1 cannot make budgets"),
        ("cn-north-1", "budget_usd: in cn-north-1 bills are not in dollars"),
    ],
)
def test_a_budget_is_refused_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, region: str, words: str
) -> None:
    """If this fails, CloudFormation refuses the whole template, and names no setting."""
    monkeypatch.setenv("CDK_DEFAULT_REGION", region)
    with pytest.raises(SettingError, match=words):
        built(tmp_path, budget_usd=20, alarm_email="a@example.com")


@pytest.mark.slow
def test_a_budget_is_made_where_there_are_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a budget is refused in regions that have budgets."""
    monkeypatch.setenv("CDK_DEFAULT_REGION", "eu-west-1")
    assert "AWS::Budgets::Budget" in str(
        built(tmp_path, budget_usd=20, alarm_email="a@example.com")
    )


def test_a_key_of_another_region_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, the deployment fails at the first bucket."""
    monkeypatch.setenv("CDK_DEFAULT_REGION", "eu-west-1")
    key = "arn:aws:kms:us-east-1:123456789012:key/0b6e7a5c-1111-2222-3333-444455556666"
    for context in ({"kms_key": key}, {"bucket_kms_keys": [key]}):
        [name] = context
        with pytest.raises(SettingError, match=f"{name}: .* is no key of eu-west-1"):
            built(tmp_path, **context)


@pytest.mark.slow
@pytest.mark.aws
def test_a_stack_of_another_bootstrap_deploys(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """If this fails, an account whose bootstrap has another qualifier cannot have the stack."""
    made = built(tmp_path, **{"@aws-cdk/core:bootstrapQualifier": "films"})
    assert made["Parameters"]["BootstrapVersion"]["Default"] == "/cdk-bootstrap/films/version"
    assert not [file for file in tmp_path.glob("*.json") if "hnb659fds" in file.read_text()]
    with an_emulator(tmp_path_factory.mktemp("films")) as emulator:
        assert "InputBucket" in emulator.deploy(tmp_path, STACK)
        names = [one["Name"] for one in emulator.client("s3").list_buckets()["Buckets"]]
        assert any(name.startswith("cdk-films-assets-") for name in names)
