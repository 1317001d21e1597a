"""Operating a deployed stack: topics, alarms, the dashboard, tags, budget and webhook."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from excamera.job.results import Prediction
from excamera.lifecycle.ending import notice_of
from tests.support.assembly import ROOT, built, resources
from tests.support.pages import code_block, section

Template = dict[str, Any]
PAGE = "docs/operations.md"
UNTAGGABLE = {
    "AWS::ApiGateway::Deployment", "AWS::ApiGateway::GatewayResponse", "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Resource", "AWS::IAM::Policy", "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Alias", "AWS::Lambda::LayerVersion", "AWS::Lambda::Permission",
    "AWS::Lambda::Version", "AWS::S3::BucketPolicy", "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy",
}  # fmt: skip


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A stack with every optional part."""
    return built(
        tmp_path_factory.mktemp("full"), webhook_url="https://example.com/jobs",
        alarm_email="a@example.com", budget_usd=50, tags={"team": "films"},
    )  # fmt: skip


def alarms(stack: Template) -> dict[str, dict[str, Any]]:
    """Returns the alarms, by name without the stack's."""
    found = [one["Properties"] for one in resources(stack, "AWS::CloudWatch::Alarm").values()]
    return {one["AlarmName"].removeprefix("ExCamera-"): one for one in found}


def test_every_end_of_a_job_is_told(stack: Template) -> None:
    """If this fails, successful or stopped jobs are not announced."""
    (rule,) = [
        rule["Properties"]
        for rule in resources(stack, "AWS::Events::Rule").values()
        if "aws.states" in rule["Properties"].get("EventPattern", {}).get("source", ())
    ]
    statuses = rule["EventPattern"]["detail"]["status"]
    assert set(statuses) == {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
    machine = stack["Outputs"]["StateMachineArn"]["Value"]
    assert rule["EventPattern"]["detail"]["stateMachineArn"] == [machine]
    [only] = rule["EventPattern"]["detail"]["executionArn"]
    name = {"Fn::GetAtt": [machine["Ref"], "Name"]}
    assert only["prefix"]["Fn::Join"][1][-2:] == [name, ":"], "a map's children would match"
    told = [target["Arn"]["Ref"] for target in rule["Targets"]]
    assert ["Ended" in told[0], "Admit" in told[1]] == [True, True]


def test_topics_take_messages_over_tls_only(stack: Template) -> None:
    """If this fails, notices can be read in transit, or a stranger can raise an alarm."""
    topics = resources(stack, "AWS::SNS::Topic")
    jobs, bells = (stack["Outputs"][name]["Value"]["Ref"] for name in ("JobsTopic", "AlarmsTopic"))
    assert set(topics) == {jobs, bells}
    assert topics[jobs]["Properties"]["KmsMasterKeyId"] == "alias/aws/sns"
    for policy in resources(stack, "AWS::SNS::TopicPolicy").values():
        first, *others = policy["Properties"]["PolicyDocument"]["Statement"]
        assert first["Effect"] == "Deny"
        assert first["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for other in others:
            assert other["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
            account = {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
            assert other["Condition"]["StringEquals"] == account


def test_every_alarm_says_what_to_do(full: Template) -> None:
    """If this fails, an alarm wakes somebody without saying what to do."""
    page = (ROOT / PAGE).read_text()
    anchors = {title.lower().replace(" ", "-") for title in re.findall(r"^##+ (.+)$", page, re.M)}
    found = alarms(full)
    assert {"JobsFailed", "Throttles", "NoProgress", "Undelivered", "EndedErrors"} <= set(found)
    for name, alarm in found.items():
        target = re.fullmatch(rf".+ What to do: {PAGE}#(\w+)", alarm["AlarmDescription"])
        assert target is not None, name
        assert target[1] in anchors, name
        bells = [full["Outputs"]["AlarmsTopic"]["Value"]]
        assert alarm["AlarmActions"] == alarm["OKActions"] == bells
        assert alarm["TreatMissingData"] == "notBreaching"
        assert len(alarm.get("Metrics", ())) <= 10, "CloudWatch takes no more"


def test_the_page_knows_what_alarms_cost(stack: Template) -> None:
    """If this fails, docs/operations.md counts other metrics than those that are billed."""
    metrics = sum(
        sum("MetricStat" in one for one in alarm.get("Metrics", ())) or 1
        for alarm in alarms(stack).values()
    )
    assert f"({metrics} in all, one more with a webhook)" in section(PAGE, "Dashboard")


def test_every_function_but_failure_has_an_alarm(full: Template) -> None:
    """If this fails, a function can fail for weeks unnoticed."""
    handlers = [
        function["Properties"]["Handler"].split(".")[1]
        for function in resources(full, "AWS::Lambda::Function").values()
    ]
    # Who runs an executor is told of every error of its workers.
    told = {"failure", "worker"}
    expected = {f"{step.capitalize()}Errors" for step in handlers if step not in told}
    assert {name for name in alarms(full) if name.endswith("Errors")} == expected


def test_the_dashboard_shows_every_function(stack: Template) -> None:
    """If this fails, the dashboard hides the problems of some function."""
    (page,) = resources(stack, "AWS::CloudWatch::Dashboard").values()
    name = {"Fn::Join": ["", ["ExCamera-", {"Ref": "AWS::Region"}]]}
    assert page["Properties"]["DashboardName"] == name
    body = json.dumps(page["Properties"]["DashboardBody"])
    for name_of_function, function in resources(stack, "AWS::Lambda::Function").items():
        if "worker" not in function["Properties"]["Handler"]:
            assert f'"{name_of_function}"' in body
    for metric in ("ExecutionsStarted", "JobsFailed", "Frames", "JobSeconds", "JobCost",
                   "ConcurrentExecutions", "Errors", "Throttles", "Duration"):  # fmt: skip
        assert metric in body


def test_all_logs_end_some_day(full: Template) -> None:
    """If this fails, a log is kept, and costs money, for ever."""
    groups = resources(full, "AWS::Logs::LogGroup").values()
    handlers = [
        function["Properties"]["Handler"]
        for function in resources(full, "AWS::Lambda::Function").values()
    ]
    # All workers of executors share one, and two state machines have one each.
    assert len(groups) == len(set(handlers)) + 2
    for group in groups:
        assert group["Properties"]["RetentionInDays"] == 30


def test_everything_that_can_be_is_tagged(full: Template) -> None:
    """If this fails, the bill does not show what the stack costs."""
    expected = {"app": "excamera", "stack": "ExCamera", "team": "films"}
    for name, resource in full["Resources"].items():
        if resource["Type"] in UNTAGGABLE:
            continue
        properties = resource["Properties"]
        tags = properties.get("Tags") or properties.get("ResourceTags") or []
        found = tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}
        assert expected.items() <= found.items(), f"{name} ({resource['Type']})"


def test_a_budget_is_made_only_when_asked_for(stack: Template, full: Template) -> None:
    """If this fails, a stack has no budget, one for all stacks, or one that alerts nobody."""
    assert not resources(stack, "AWS::Budgets::Budget")
    (budget,) = resources(full, "AWS::Budgets::Budget").values()
    made = budget["Properties"]["Budget"]
    assert made["BudgetLimit"] == {"Amount": 50, "Unit": "USD"}
    assert made["CostFilters"] == {"TagKeyValue": ["user:stack$ExCamera"]}
    notified = budget["Properties"]["NotificationsWithSubscribers"]
    assert [one["Notification"]["Threshold"] for one in notified] == [80, 100]
    for one in notified:
        (subscriber,) = one["Subscribers"]
        assert subscriber == {"SubscriptionType": "EMAIL", "Address": "a@example.com"}


def test_alarms_go_by_mail_only_when_asked_for(stack: Template, full: Template) -> None:
    """If this fails, nobody receives the alarms, or somebody receives them unasked."""
    assert not resources(stack, "AWS::SNS::Subscription")
    (subscription,) = resources(full, "AWS::SNS::Subscription").values()
    assert subscription["Properties"]["Endpoint"] == "a@example.com"
    assert subscription["Properties"]["TopicArn"] == full["Outputs"]["AlarmsTopic"]["Value"]


def test_a_webhook_is_made_only_when_asked_for(stack: Template, full: Template) -> None:
    """If this fails, a stack pays for an unused secret, or reveals the secret."""
    assert not resources(stack, "AWS::SecretsManager::Secret")
    assert "WebhookSecretArn" not in stack["Outputs"]
    ((secret, made),) = resources(full, "AWS::SecretsManager::Secret").items()
    assert made["Properties"]["GenerateSecretString"]["PasswordLength"] % 4 == 0
    assert full["Outputs"]["WebhookSecretArn"]["Value"] == {"Fn::GetAtt": [secret, "Id"]}


def test_the_page_describes_a_notice() -> None:
    """If this fails, docs/operations.md shows another notice than the one that is sent."""
    shown = json.loads(code_block(section(PAGE, "Notices"), "json"))
    detail = {
        "executionArn": shown["execution"], "name": shown["job"], "status": "SUCCEEDED",
        "startDate": 0, "stopDate": 1,
        "input": json.dumps({"input": {"name": "s3://b/k"}, "output": {"store": "s3://o"},
                             "tag": 1}),
        "output": json.dumps(dict.fromkeys(("key", "size", "frames", "duration_s"), 1)),
    }  # fmt: skip
    predicted = Prediction(2.0, 0.1, 1, computing_s=1.0, calls_s=1.0, waits=1.0).to_json()
    made = notice_of(detail, stack="ExCamera", cost_usd=0.1, predicted=predicted)
    assert list(shown) == list(made)
    for name in ("result", "predicted", "actual"):
        assert list(shown[name]) == list(made[name])
    described = section(PAGE, "Notices")
    for name in [*made, "error", "message"]:
        assert re.search(rf"^\|.*`{name}`.*\|$", described, re.M), name


def test_links_of_the_page_lead_somewhere() -> None:
    """If this fails, a link of the page leads nowhere."""
    page = (ROOT / PAGE).read_text()
    for file, anchor in re.findall(r"\]\(([\w./-]*)#?([\w-]*)\)", page):
        text = (Path(ROOT, "docs", file) if file else ROOT / PAGE).read_text()
        titles = re.findall(r"^##+ (.+)$", text, re.M)
        assert not anchor or anchor in {t.lower().replace(" ", "-") for t in titles}, anchor
