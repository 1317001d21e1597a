"""Settings that would synthesise but not deploy, because a service of AWS takes less."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from stacks import limits
from stacks.settings import SettingError
from tests.support.assembly import built, resources
from tests.support.pages import section

LONG = [f"our-archive-{number:02}-{'x' * 40}" for number in range(50)]


def most(name: str, template: dict[str, Any]) -> int:
    """Returns the largest amount that a template has of what a limit is about."""
    [limit] = [one for one in limits.LIMITS if one.name == name]
    return max((found.amount for found in limit.measure(template)), default=0)


def test_the_default_stack_is_far_from_every_limit(stack: dict[str, Any]) -> None:
    """If this fails, a setting that changes little cannot be deployed, or nothing is measured."""
    for limit in limits.LIMITS:
        assert most(limit.name, stack) <= 0.6 * limit.most, limit.name
    measured = {limit.name for limit in limits.LIMITS if most(limit.name, stack)}
    assert {limit.name for limit in limits.LIMITS} - measured == {
        "managed policies of a role", "managed policy",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("context", "words"),
    [
        ({"suffixes": [f".film{n}" for n in range(45)]},
         r"suffixes: the event pattern of \w+ would have up to 2,\d+ characters, and AWS allows "
         "2,048"),
        ({"source_buckets": LONG},
         r"source_buckets: the environment of the function api would have up to \d,\d+ bytes"),
        ({"cors_origins": [f"https://{n}.films.example.com" for n in range(90)]},
         "cors_origins: the environment of the function api"),
        ({"webhook_url": f"https://example.com/{'x' * 4000}"},
         "webhook_url: the environment of the function webhook"),
        ({"mu_names": 10, "mu_memory_mb": list(range(1024, 3072, 250))},
         "mu_memory_mb: the stack would have up to 5.. resources, and AWS allows 500"),
        ({"mu_read_buckets": [f"{n}-{one}" for n in range(8) for one in LONG]},
         r"mu_read_buckets: the policy \w+ would have up to \d+,\d+ characters, and AWS allows "
         "6,144"),
        ({"tags": {f"{n:03}{'k' * 125}": "v" * 128 for n in range(45)}, "mu_server": "valkey"},
         "tags: the template would have up to 1,.* bytes, and AWS allows 1,000,000"),
    ],
)  # fmt: skip
def test_what_a_service_would_refuse_is_refused_by_name(
    tmp_path: Path, context: dict[str, Any], words: str
) -> None:
    """If this fails, a deployment fails half-way, with the name of a resource, not of a setting."""
    with pytest.raises(SettingError, match=words):
        built(tmp_path, **context)
    assert not (tmp_path / "manifest.json").exists(), "`cdk deploy` could still deploy it"


def test_the_page_has_every_limit(stack: dict[str, Any]) -> None:
    """If this fails, docs/account.md tells other limits than those that are checked."""
    rows = re.findall(
        r"^\| (.+?) \| ([\d,]+) (\w+) \| ([\d,]+) \| .+ \|$",
        section("docs/account.md", "Limits"),
        re.M,
    )
    assert [(name, most, unit) for name, most, unit, _ in rows] == [
        (one.name, f"{one.most:,}", one.unit) for one in limits.LIMITS
    ]
    told = {name: int(amount.replace(",", "")) for name, _, _, amount in rows}
    for name, amount in told.items():
        # Some bytes come and go with every change.
        assert amount == pytest.approx(most(name, stack), rel=0.1), name


def test_policies_of_a_role_are_counted() -> None:
    """If this fails, a role may get more policies than IAM lets it have."""
    policy = {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {"Roles": [{"Ref": "Role"}], "PolicyDocument": {"Statement": []}},
    }
    template = {"Resources": {f"Policy{number}": policy for number in range(11)}}
    assert most("managed policies of a role", template) == 11


@pytest.mark.slow
def test_rights_on_many_buckets_are_spread_over_policies(tmp_path: Path) -> None:
    """If this fails, fifty buckets with short names cannot be sources, though AWS allows it."""
    names = [f"archive-{number:02}" for number in range(50)]
    made = built(tmp_path, source_buckets=names)
    [api] = [
        function["Properties"]["Role"]["Fn::GetAtt"][0]
        for function in resources(made, "AWS::Lambda::Function").values()
        if function["Properties"]["Handler"] == "functions.api.handler.handler"
    ]
    documents = [
        json.dumps(policy["Properties"]["PolicyDocument"])
        for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
        for policy in resources(made, kind).values()
        if {"Ref": api} in policy["Properties"]["Roles"]
    ]
    assert len(documents) > 1
    for name in names:
        assert any(f":s3:::{name}/*" in document for document in documents), name


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ({"stack_name": "9films"}, "stack_name must be at most 128 letters"),
        ({"stack_name": "Films" * 26}, "stack_name must be at most 128 letters"),
        ({"@aws-cdk/core:bootstrapQualifier": "a b"}, "bootstrapQualifier must be at most 10"),
        ({"python": "three"}, "python must be a version such as 3.14"),
        ({"source_buckets": ["Films"]}, "source_buckets: 'Films' is no name of a bucket"),
        ({"source_buckets": ["films", "films"]}, "source_buckets names films twice"),
        ({"source_buckets": "films"}, "source_buckets must be JSON"),
        ({"source_buckets": [7]}, "source_buckets must be a list of texts"),
        ({"mu_write_buckets": ["192.168.0.1"]}, "mu_write_buckets: '192.168.0.1' is no name"),
        ({"input_bucket": "films--x-s3"}, "input_bucket: 'films--x-s3' is no name of a bucket"),
        ({"prefix": "films*/"}, "prefix must be of Latin letters"),
        ({"prefix": "${films}/"}, "prefix must be of Latin letters"),
        ({"prefix": "\u0444/"}, "prefix must be of Latin letters"),
        ({"prefix": "x" * 513}, "prefix must have at most 512 bytes"),
        ({"tags": {f"t{n}": "x" for n in range(46)}}, "tags: AWS allows a resource 50"),
        ({"tags": {"Team": "a", "team": "b"}}, "tags: Team differs from another only in case"),
        ({"tags": {"App": "a"}}, "tags: App differs from another only in case"),
        ({"tags": ["team"]}, "tags must be an object"),
        ({"options": [1]}, "options must be an object"),
        ({"mu_names": True}, "mu_names must be a number"),
        ({"tracing": 1}, "tracing must be true or false"),
        ({"prefix": 7}, "prefix must be text"),
    ],
)  # fmt: skip
def test_malformed_values_are_refused_by_name(
    tmp_path: Path, context: dict[str, Any], words: str
) -> None:
    """If this fails, a wrong value ends in a trace of JavaScript, or in a failed deployment."""
    with pytest.raises(SettingError, match=re.escape(words)):
        built(tmp_path, **context)


@pytest.mark.slow
def test_a_limit_that_is_broken_is_told_in_one_line(tmp_path: Path) -> None:
    """If this fails, who has too many suffixes has to read a trace of JavaScript."""
    # What `app.py` prints of it is tested with another setting.
    with pytest.raises(SettingError, match=r"^suffixes: the event pattern of ") as refused:
        built(tmp_path, suffixes=[f".film{number}" for number in range(45)])
    assert len(str(refused.value).splitlines()) == 1
