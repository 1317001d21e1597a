"""The template that `cdk deploy` would deploy."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emulator.excamera.synthesis import STACK, synthesise
from excamera.job.steps import DEFAULT_MEMORY_MB
from stacks.code import function_code
from stacks.settings import SettingError
from tests.support.assembly import ROOT, built, resources

Template = dict[str, Any]


def by_step(stack: Template) -> dict[str, dict[str, Any]]:
    """Returns the functions of jobs, in their usual size; test_executors.py has executors'."""
    return {
        step: function["Properties"]
        for name, function in resources(stack, "AWS::Lambda::Function").items()
        if (step := function["Properties"]["Handler"].split(".")[1]) != "worker"
        if "Memory" not in name
    }


def test_every_step_has_a_function_of_its_own_role_and_log(stack: Template) -> None:
    """If this fails, functions share rights or logs, or keep logs for ever."""
    functions = by_step(stack)
    assert set(functions) == set(DEFAULT_MEMORY_MB) - {"webhook"}
    roles = [json.dumps(function["Role"]) for function in functions.values()]
    groups = [function["LoggingConfig"]["LogGroup"]["Ref"] for function in functions.values()]
    assert len(set(roles)) == len(set(groups)) == len(functions)
    for group in resources(stack, "AWS::Logs::LogGroup").values():
        assert group["Properties"]["RetentionInDays"] == 30
    for function in functions.values():
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["Architectures"] == ["arm64"]
        assert "ReservedConcurrentExecutions" not in function, "a small account could not deploy"


def test_settings_of_the_context_reach_the_functions(stack: Template) -> None:
    """If this fails, memory and scratch space of the table and cdk.json have no effect."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    memory = {**DEFAULT_MEMORY_MB, **context["memory_mb"]}
    for step, function in by_step(stack).items():
        assert function["MemorySize"] == memory[step]
        assert function["Runtime"] == f"python{context['python']}"
        scratch = context["scratch_mb"] if step == "index" else 512
        assert function["EphemeralStorage"]["Size"] == scratch


@pytest.mark.slow
def test_environments_are_made_ahead_unless_the_setting_says_no(
    stack: Template, tmp_path: Path
) -> None:
    """If this fails, the setting does nothing, or a function is deployed that nobody calls."""
    callers = ("index", "start", "admit")
    on, off = by_step(stack), by_step(built(tmp_path, warm_ahead=False))
    assert set(on) - set(off) == {"warm"}
    for caller in callers:
        variables = (functions[caller]["Environment"]["Variables"] for functions in (on, off))
        named, nothing = (one["WARM_FUNCTION"] for one in variables)
        assert named["Ref"].startswith("WorkersWarmFunctionCurrentVersion")
        assert nothing == ""
    # Versions, which jobs call, and not the code that was deployed last.
    told = json.dumps(on["warm"]["Environment"]["Variables"]["WARMED"])
    for step in ("Plan", "Audio", "Stitch", "Anchors", "Encode"):
        assert f"Workers{step}FunctionCurrentVersion" in told


@pytest.mark.slow
def test_memory_is_changed_for_one_function_alone(tmp_path: Path) -> None:
    """If this fails, who changes one function's memory has to name that of all others."""
    for step, function in by_step(built(tmp_path, memory_mb='{"encode": 3008}')).items():
        memory = {**DEFAULT_MEMORY_MB, "encode": 3008}
        assert function["MemorySize"] == memory[step]
        told = function["Environment"]["Variables"].get("MEMORY_MB")
        assert told is None or json.loads(told) == memory


def test_encode_is_there_in_several_sizes(stack: Template) -> None:
    """If this fails, a job cannot choose the memory of its workers, or gets other rights with it.

    The definition counts the sizes as the function index is told them.
    """
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    found = resources(stack, "AWS::Lambda::Function")
    sizes = [
        (name, one["Properties"])
        for name, one in found.items()
        if one["Properties"]["Handler"] == "functions.encode.handler.handler"
    ]
    usual = by_step(stack)["encode"]
    memory = [function["MemorySize"] for _, function in sizes]
    assert memory == [DEFAULT_MEMORY_MB["encode"], *context["encode_sizes"]]
    for _, function in sizes:
        assert {**function, "MemorySize": 0} == {**usual, "MemorySize": 0}
    told = by_step(stack)["index"]["Environment"]["Variables"]["ENCODE_SIZES"]
    assert json.loads(told) == memory
    (machine,) = (
        one["Properties"]
        for name, one in resources(stack, "AWS::StepFunctions::StateMachine").items()
        if name.startswith("Job")
    )
    (array,) = set(re.findall(r"States\.Array\((.*?)\)", machine["DefinitionString"]))
    versions = resources(stack, "AWS::Lambda::Version")
    chosen = [
        versions[machine["DefinitionSubstitutions"][name]["Ref"]]["Properties"]["FunctionName"]
        for name in re.findall(r"\$\{(\w+)\}", array)
    ]
    assert [one["Ref"] for one in chosen] == [name for name, _ in sizes]


@pytest.mark.slow
def test_without_further_sizes_nothing_is_chosen(tmp_path: Path) -> None:
    """If this fails, an account that allows no large functions cannot deploy."""
    small = built(tmp_path, encode_sizes="[]", memory_mb='{"encode": 3008}')
    text = json.dumps(resources(small, "AWS::StepFunctions::StateMachine"))
    assert "States.Array" not in text
    found = json.dumps(resources(small, "AWS::Lambda::Function"))
    assert found.count("functions.encode.handler.handler") == 1


@pytest.mark.slow
def test_snapshots_and_ready_environments_are_of_the_named_functions(
    stack: Template, tmp_path: Path
) -> None:
    """If this fails, nobody gets what the settings say, or everybody pays for it."""

    def costly(template: Template) -> tuple[set[str], dict[str, int]]:
        snapshots = {
            one["Properties"]["Handler"].split(".")[1]
            for one in resources(template, "AWS::Lambda::Function").values()
            if one["Properties"].get("SnapStart") == {"ApplyOn": "PublishedVersions"}
        }
        ready = {
            name: one["Properties"]["ProvisionedConcurrencyConfig"][
                "ProvisionedConcurrentExecutions"
            ]
            for name, one in resources(template, "AWS::Lambda::Version").items()
            if "ProvisionedConcurrencyConfig" in one["Properties"]
        }
        return snapshots, ready

    assert costly(stack) == (set(), {})
    snapshots, ready = costly(built(tmp_path, snap_start=["api", "plan"], provisioned=7))
    assert snapshots == {"api", "plan"}
    assert [(name.startswith("WorkersEncode"), count) for name, count in ready.items()] == [
        (True, 7)
    ]


def test_buckets_are_private_encrypted_and_only_for_tls(stack: Template) -> None:
    """If this fails, videos can leak, or incomplete uploads cost money for ever."""
    buckets = resources(stack, "AWS::S3::Bucket")
    assert len(buckets) == 3
    policies = resources(stack, "AWS::S3::BucketPolicy").values()
    guarded = {policy["Properties"]["Bucket"]["Ref"] for policy in policies}
    assert guarded == set(buckets)
    for policy in policies:
        (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    for bucket in buckets.values():
        properties = bucket["Properties"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert properties["BucketEncryption"]
        rules = properties["LifecycleConfiguration"]["Rules"]
        assert any(
            rule.get("AbortIncompleteMultipartUpload") == {"DaysAfterInitiation": 1}
            for rule in rules
        )
        assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
        assert bucket["UpdateReplacePolicy"] == "Retain"


def test_intermediates_expire_and_results_do_not(stack: Template) -> None:
    """If this fails, intermediates pile up, or results vanish."""
    expiring = {
        name: rule["ExpirationInDays"]
        for name, bucket in resources(stack, "AWS::S3::Bucket").items()
        for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"]
        if "ExpirationInDays" in rule
    }
    ((name, days),) = expiring.items()
    assert stack["Outputs"]["WorkBucket"]["Value"] == {"Ref": name}
    assert days == 7


def test_what_was_learned_stays(stack: Template) -> None:
    """If this fails, a stack forgets after a week what its jobs have taught it."""
    [work] = [
        bucket["Properties"]["LifecycleConfiguration"]["Rules"]
        for name, bucket in resources(stack, "AWS::S3::Bucket").items()
        if stack["Outputs"]["WorkBucket"]["Value"] == {"Ref": name}
    ]
    expiring = [rule for rule in work if "ExpirationInDays" in rule]
    assert expiring
    for rule in expiring:
        assert not "model/arm64.json".startswith(rule.get("Prefix", ""))


@pytest.mark.parametrize(("limit", "reads"), [(0, False), (1, True)])
def test_the_index_reads_what_was_learned_if_it_needs_it(
    tmp_path: Path, limit: int, reads: bool
) -> None:
    """If this fails, a limit is held against our constants, or a right is there for nothing."""
    document = built(tmp_path, max_usd_per_job=limit)
    policies = resources(document, "AWS::IAM::Policy")
    [policy] = [one for name, one in policies.items() if "WorkersIndexRole" in name]
    assert ("/model/arm64.json" in json.dumps(policy)) is reads


def test_nothing_is_public_and_no_trust_is_wide(stack: Template) -> None:
    """If this fails, a stranger could call a function or take a role."""
    assert not resources(stack, "AWS::Lambda::Url")
    for permission in resources(stack, "AWS::Lambda::Permission").values():
        assert permission["Properties"]["Principal"] in (
            "events.amazonaws.com", "apigateway.amazonaws.com",
        )  # fmt: skip
        assert permission["Properties"]["SourceArn"]
    for role in resources(stack, "AWS::IAM::Role").values():
        for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
            # Calls of executors have a role that only their workers take.
            principal = statement["Principal"]
            assert set(principal) == {"Service"} or principal["AWS"]["Fn::GetAtt"][1] == "Arn"
        assert "ManagedPolicyArns" not in role["Properties"]
    for kind in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
        for policy in resources(stack, kind).values():
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                anyone = statement["Principal"] in ("*", {"AWS": "*"})
                assert statement["Effect"] == "Deny" or not anyone


WIDE_ACTIONS = {
    "xray:PutTelemetryRecords", "xray:PutTraceSegments", "lambda:GetAccountSettings",
}  # fmt: skip
LOG_DELIVERY = re.compile(r"logs:(\w+LogDelivery|\w+LogDeliveries|\w+ResourcePolic\w+|Describe\w+)")


def test_who_decodes_films_cannot_make_results(stack: Template) -> None:
    """If this fails, a malicious film that takes over a worker can write results of others."""
    output = next(name for name in resources(stack, "AWS::S3::Bucket") if "Output" in name)
    found = {}
    for name, policy in resources(stack, "AWS::IAM::Policy").items():
        if "Executors" in name:
            continue  # calls of executors do what their users want
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            if "s3:PutObject" in statement["Action"] and output in str(statement["Resource"]):
                found[name] = statement.get("Condition")
    free = [name for name, condition in found.items() if condition is None]
    assert all("Stitch" in name for name in free), free
    only_parts = {"BoolIfExists": {"s3:ObjectCreationOperation": "false"}}
    for step in ("Encode", "Plan"):
        assert [one for name, one in found.items() if f"Workers{step}" in name] == [only_parts]


def test_only_traces_and_log_delivery_are_allowed_on_everything(stack: Template) -> None:
    """If this fails, a role can do something to resources that are not the stack's."""
    for policy in resources(stack, "AWS::IAM::Policy").values():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            actions = [actions] if isinstance(actions, str) else actions
            assert not any("*" in action for action in actions)
            if statement["Resource"] == "*":
                for action in actions:
                    wide = action in WIDE_ACTIONS or action.startswith("xray:")
                    assert wide or LOG_DELIVERY.fullmatch(action), action


def test_uploads_of_any_kind_and_case_start_a_job(stack: Template) -> None:
    """If this fails, multipart uploads or FILM.MP4 are silently ignored."""
    patterns = [
        rule["Properties"]["EventPattern"]
        for rule in resources(stack, "AWS::Events::Rule").values()
        if "EventPattern" in rule["Properties"]
    ]
    (pattern,) = [p for p in patterns if p["source"] == ["aws.s3"]]
    assert pattern["detail-type"] == ["Object Created"]
    assert "reason" not in pattern["detail"], "a filter on PutObject would drop multipart uploads"
    suffixes = [key["suffix"]["equals-ignore-case"] for key in pattern["detail"]["object"]["key"]]
    assert ".mp4" in suffixes
    assert ".mkv" in suffixes
    (uploads,) = [
        bucket["Properties"]
        for bucket in resources(stack, "AWS::S3::Bucket").values()
        if "NotificationConfiguration" in bucket["Properties"]
    ]
    assert uploads["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }


def test_events_that_cannot_be_handled_are_kept(stack: Template) -> None:
    """If this fails, an upload whose event fails is lost."""
    (queue,) = resources(stack, "AWS::SQS::Queue")
    for rule in resources(stack, "AWS::Events::Rule").values():
        for target in rule["Properties"]["Targets"]:
            assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue, "Arn"]}}
    asynchronous = resources(stack, "AWS::Lambda::EventInvokeConfig")
    assert len(asynchronous) == 6
    # A report that could not be made is asked for again, by whoever still wants it.
    [report] = [one["Properties"] for name, one in asynchronous.items() if "Report" in name]
    assert (report["MaximumRetryAttempts"], "DestinationConfig" in report) == (0, False)


# They name their functions.
NAMING = (
    "AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig", "AWS::Lambda::Version",
    "AWS::Lambda::Alias", "AWS::CloudWatch::Alarm",
)  # fmt: skip


def test_nothing_has_a_name_of_ours(stack: Template) -> None:
    """If this fails, the stack cannot be deployed twice, or replaced."""
    named = re.compile(r'"(BucketName|FunctionName|RoleName|StateMachineName|LogGroupName)"')
    for name, resource in stack["Resources"].items():
        found = named.findall(json.dumps(resource["Properties"]))
        if resource["Type"] not in NAMING and not _is_vended_log(resource):
            assert not found, name


def _is_vended_log(resource: dict[str, Any]) -> bool:
    """Returns whether AWS requires the group's name, which ends with the stack's."""
    name = str(resource["Properties"].get("LogGroupName"))
    return name in (f"/aws/vendedlogs/states/{STACK}", f"/aws/vendedlogs/states/{STACK}-mu")


def test_cfn_lint_finds_nothing(assembly: Path) -> None:
    """If this fails, CloudFormation may refuse the template."""
    lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [str(lint), "--", str(assembly / f"{STACK}.template.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_cdk_nag_watches_the_app(tmp_path: Path) -> None:
    """If this fails, the clean report of every synthesis says nothing."""
    program = (
        "import json, sys; from pathlib import Path\n"
        "from stacks.node import use_own_node; use_own_node()\n"
        "from stacks.app import build\n"
        "from aws_cdk import aws_s3 as s3\n"
        "app = build(json.loads(Path('cdk.json').read_text())['context'], Path(sys.argv[1]))\n"
        "s3.Bucket(app.node.find_child('ExCamera'), 'Open')\n"
        "app.synth()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "AwsSolutions-S10" in done.stderr + done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("context", "words"),
    [
        ({"architecture": "mips"}, "architecture must be one of arm64, x86_64"),
        ({"batch_workers": "41"}, "batch_workers must be 1 to 40, not 41"),
        ({"spread_calls": "1001"}, "spread_calls must be 0 to 1000, not 1001"),
        ({"memory_mb": "{"}, "memory_mb must be JSON"),
        ({"memory_mb": "3008"}, "memory_mb must be an object"),
        ({"memory_mb": '{"rebas": 3008}'}, "memory_mb: there is no function rebas"),
        ({"memory_mb": '{"encode": 64}'}, "memory_mb of encode must be 128 to 10240, not 64"),
        ({"encode_sizes": "[64]"}, "encode_sizes must be 128 to 10240, not 64"),
        ({"encode_sizes": "[256, 512, 1024]"}, "at most 2 more sizes"),
        ({"suffixes": '["mp4"]'}, "suffixes must be a list"),
        ({"input_bucket": "a", "output_bucket": "a"}, "different buckets"),
        ({"options": '{"crf": 99}'}, "crf must be 0 to 63"),
        ({"log_days": "2"}, "log_days must be one of 1, 3, 5"),
        ({"webhook_url": "http://example.com"}, "webhook_url must be an https:// URL"),
        ({"alarm_email": "nobody"}, "alarm_email must be an address"),
        ({"tags": '{"stack": "x"}'}, "tags: stack is reserved"),
        ({"canary": "Canary10Percent7Minutes"}, 'canary must be "" or one of Canary10Percent5'),
        ({"budget_usd": "20"}, "budget_usd needs an alarm_email"),
        ({"snap_start": '["encoder"]'}, "snap_start: there is no function encoder"),
        ({"snap_start": '["api"]', "python": "3.11"}, "snap_start needs python 3.12 or newer"),
        ({"snap_start": '["index"]'}, "more than 512 MB of /tmp: lower scratch_mb"),
        ({"snap_start": '["encode"]', "provisioned": "1"}, "leave out encode, or set provisioned"),
        ({"provisioned": "-1"}, "provisioned must be 0 to 10000, not -1"),
    ],
)
def test_wrong_settings_are_refused_by_name(
    tmp_path: Path, context: dict[str, str], words: str
) -> None:
    """If this fails, a typing error in cdk.json is found after the deployment, or never."""
    with pytest.raises(SettingError, match=re.escape(words)):
        built(tmp_path, **context)


@pytest.mark.slow
def test_a_refusal_is_one_line(tmp_path: Path) -> None:
    """If this fails, a typing error in cdk.json ends in a traceback."""
    done = synthesise(tmp_path, log_days="2")
    assert done.returncode == 1
    assert done.stderr.startswith("cdk.json: log_days must be one of 1, 3, 5")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_existing_buckets_are_used_and_not_touched(tmp_path: Path) -> None:
    """If this fails, existing buckets cannot be used, or would be changed."""
    made = built(tmp_path, input_bucket="films", output_bucket="results", prefix="in/")
    assert len(resources(made, "AWS::S3::Bucket")) == 1
    assert made["Outputs"]["InputBucket"]["Value"] == "films"
    assert "EventBridge" in json.dumps(made["Outputs"]["EnableEvents"])
    assert '"films"' in json.dumps(resources(made, "AWS::Events::Rule"))
    environments = [
        function["Properties"].get("Environment", {}).get("Variables", {})
        for function in resources(made, "AWS::Lambda::Function").values()
    ]
    assert [env["PREFIX"] for env in environments if "PREFIX" in env] == ["in/"] * 2


@pytest.mark.slow
def test_removal_destroy_empties_the_buckets_with_the_stack(tmp_path: Path) -> None:
    """If this fails, a trial leaves buckets behind."""
    buckets = resources(built(tmp_path, removal="destroy"), "AWS::S3::Bucket").values()
    assert {bucket["DeletionPolicy"] for bucket in buckets} == {"Delete"}


def test_lambda_can_read_the_code(tmp_path: Path) -> None:
    """If this fails, a strict umask on the deploying machine breaks every function."""
    before = os.umask(0o077)
    try:
        code = function_code("3.14", tmp_path)
    finally:
        os.umask(before)
    paths = [code, *code.rglob("*")]
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in paths}
    assert modes == {(True, 0o755), (False, 0o644)}
