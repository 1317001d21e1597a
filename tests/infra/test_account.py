"""Settings by which the stack fits an account: traces, the API's log, and what expires when."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.assembly import built, resources

Template = dict[str, Any]


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A stack without traces, with a log of the API's requests and expiring uploads."""
    return built(tmp_path_factory.mktemp("changed"), tracing=False, api_logs="own-role",
                 source_days=30, intermediates_days=9)  # fmt: skip


def test_traces_are_recorded_unless_asked_otherwise(stack: Template, changed: Template) -> None:
    """If this fails, nobody can trace a job, or who wants no traces pays for them."""
    for template, wanted in ((stack, True), (changed, False)):
        functions = [
            function["Properties"]
            for function in resources(template, "AWS::Lambda::Function").values()
            if "worker" not in function["Properties"]["Handler"]
        ]
        for function in functions:
            assert ("TracingConfig" in function) is wanted
            disabled = function["Environment"]["Variables"].get("POWERTOOLS_TRACE_DISABLED")
            assert disabled == (None if wanted else "true")
        for machine in resources(template, "AWS::StepFunctions::StateMachine").values():
            assert machine["Properties"]["TracingConfiguration"] == {"Enabled": wanted}
        [stage] = resources(template, "AWS::ApiGateway::Stage").values()
        assert stage["Properties"]["TracingEnabled"] is wanted
    policies = resources(changed, "AWS::IAM::Policy")
    assert not [name for name, one in policies.items()
                if "xray:" in json.dumps(one) and "StateMachine" not in name]  # fmt: skip


def test_the_api_logs_requests_when_asked(
    stack: Template, changed: Template, tmp_path: Path
) -> None:
    """If this fails, refused requests leave no trace, or the account's role is changed unasked."""
    existing = built(tmp_path, api_logs="existing-role")
    accounts = [
        list(resources(one, "AWS::ApiGateway::Account").values())
        for one in (stack, existing, changed)
    ]
    assert [len(found) for found in accounts] == [0, 0, 1]
    [[], [], [account]] = accounts
    assert account["DeletionPolicy"] == "RetainExceptOnCreate"
    role = account["Properties"]["CloudWatchRoleArn"]["Fn::GetAtt"][0]
    assert changed["Resources"][role]["DeletionPolicy"] == "RetainExceptOnCreate"
    for template in (existing, changed):
        [stage] = resources(template, "AWS::ApiGateway::Stage").values()
        log = stage["Properties"]["AccessLogSetting"]
        assert log["DestinationArn"]["Fn::GetAtt"][0] in resources(template, "AWS::Logs::LogGroup")
        assert json.loads(log["Format"])["error"] == "$context.error.responseType"
    [stage] = resources(stack, "AWS::ApiGateway::Stage").values()
    assert "AccessLogSetting" not in stage["Properties"]


def rules(template: Template, output: str) -> list[dict[str, Any]]:
    """Returns the lifecycle rules of a bucket, without those for unfinished uploads."""
    bucket = template["Resources"][template["Outputs"][output]["Value"]["Ref"]]["Properties"]
    found: list[dict[str, Any]] = bucket["LifecycleConfiguration"]["Rules"]
    assert all(rule["Status"] == "Enabled" for rule in found)
    return [rule for rule in found if "AbortIncompleteMultipartUpload" not in rule]


def test_what_is_replaced_stays_for_a_while(stack: Template, changed: Template) -> None:
    """If this fails, a mistaken upload destroys a result at once, or old versions stay for ever."""
    for template, days in ((stack, 7), (changed, 9)):
        for output in ("InputBucket", "OutputBucket"):
            name = template["Outputs"][output]["Value"]["Ref"]
            versions = template["Resources"][name]["Properties"]["VersioningConfiguration"]
            assert versions == {"Status": "Enabled"}
            found = rules(template, output)
            assert [
                rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
                for rule in found
                if "NoncurrentVersionExpiration" in rule
            ] == [days]
            assert sum(rule.get("ExpiredObjectDeleteMarker", False) for rule in found) == 1


def test_uploads_expire_only_when_asked(stack: Template, changed: Template) -> None:
    """If this fails, films vanish that somebody wanted to keep, or stay that should vanish."""
    for template, days in ((stack, []), (changed, [30])):
        found = rules(template, "InputBucket")
        assert [one["ExpirationInDays"] for one in found if "ExpirationInDays" in one] == days
        results = rules(template, "OutputBucket")
        assert not any("ExpirationInDays" in rule for rule in results)
