"""A small stack that behaves badly on request, for the tests of the emulator itself."""

import json
import textwrap
from typing import Any

from emulator import Emulator

STACK = "Example"

# The event says what the `task` function does: {"do": ..., ...}.
TASK = '''
import os, signal, subprocess, sys, time
import boto3

class Flaky(Exception):
    pass

s3 = boto3.client("s3")
BUCKET = os.environ["BUCKET"]

def count(key):
    """Returns how often this was called before; S3 keeps the count."""
    try:
        seen = int(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    except s3.exceptions.NoSuchKey:
        seen = 0
    s3.put_object(Bucket=BUCKET, Key=key, Body=str(seen + 1))
    return seen

def handler(event, context):
    do = event.get("do")
    print("doing", do)
    if do == "fail":
        raise Flaky(event.get("why", "asked to"))
    if do == "fail once":
        if count("counts/" + event["key"]) == 0:
            raise Flaky("the first time")
    elif do == "sleep":
        time.sleep(event["seconds"])
    elif do == "wait":
        while "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix=event["key"]):
            time.sleep(0.1)
    elif do == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif do == "die once":
        if count("counts/" + event["key"]) == 0:
            os._exit(3)
    elif do == "take memory":
        held = b"x" * event["bytes"]
        time.sleep(2)  # whoever looks at it may be late
    elif do == "large answer":
        return "x" * event["bytes"]
    elif do == "where":
        return {"task": os.getcwd(), "opt": os.listdir("/opt"), "tmp": os.listdir("/tmp"),
                "path": os.environ.get("PYTHONPATH")}
    elif do == "say who":
        return {"version": context.function_version, "stream": context.log_stream_name,
                "setting": os.environ.get("SETTING")}
    elif do == "import twice":
        found = []
        for number in range(2):
            with open("/tmp/changing.py", "w") as file:
                file.write("print(%d)" % number)
            os.utime("/tmp/changing.py", (1, 1))
            command = [sys.executable, "-c", "import sys; sys.path.append('/tmp'); import changing"]
            found.append(subprocess.run(command, capture_output=True, text=True).stdout)
        return found
    elif do == "read":
        try:
            s3.get_object(Bucket=event.get("bucket", BUCKET), Key=event["key"])
        except s3.exceptions.ClientError as error:
            return error.response["Error"]["Code"]
    elif do == "record":
        time.sleep(event.get("seconds", 0))
        s3.put_object(Bucket=BUCKET, Key=event["key"], Body=b"1")
    return event
'''

# Stores every event that it receives in the bucket.
LISTENER = """
import json, os
import boto3

def handler(event, context):
    key = "events/" + event["detail-type"] + "/" + event["id"] + ".json"
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=key, Body=json.dumps(event))
"""

_ROLE_DOCUMENT = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}


def _attribute(resource: str, name: str = "Arn") -> dict[str, Any]:
    return {"Fn::GetAtt": [resource, name]}


def _retried(errors: list[str], attempts: int = 3) -> list[dict[str, Any]]:
    return [
        {
            "ErrorEquals": errors,
            "IntervalSeconds": 1,
            "BackoffRate": 1.0,
            "MaxDelaySeconds": 1,
            "MaxAttempts": attempts,
            "JitterStrategy": "FULL",
        }
    ]


def _task(**fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": "${task}", **fields}


def _machines() -> dict[str, dict[str, Any]]:
    """Returns the definitions of state machines, by the names of their outputs."""
    return {
        "Single": {
            "StartAt": "work",
            "TimeoutSeconds": 60,
            "States": {
                "work": _task(
                    Retry=_retried(["Flaky", "Runtime.ExitError"]),
                    Catch=[
                        {
                            "ErrorEquals": ["States.ALL"],
                            "ResultPath": "$.failure.work",
                            "Next": "caught",
                        }
                    ],
                    End=True,
                ),
                "caught": {"Type": "Pass", "End": True},
            },
        },
        "Plain": {
            "StartAt": "first",
            "States": {
                "first": {"Type": "Pass", "Next": "work"},
                "work": _task(
                    Parameters={
                        "do.$": "$.do",
                        "key.$": "$.key",
                        "seconds.$": "$.seconds",
                        "redrives.$": "$$.Execution.RedriveCount",
                        "entered.$": "$$.State.EnteredTime",
                        "retries.$": "$$.State.RetryCount",
                        "name.$": "$$.Execution.Name",
                    },
                    ResultPath="$.result",
                    End=True,
                ),
            },
        },
        "Hurried": {
            "StartAt": "work",
            "TimeoutSeconds": 1,
            "States": {"work": _task(End=True)},
        },
        "HurriedTask": {
            "StartAt": "work",
            "States": {"work": _task(TimeoutSeconds=1, End=True)},
        },
        "Optimized": {
            "StartAt": "work",
            "States": {
                "work": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::lambda:invoke",
                    "Parameters": {"FunctionName": "${task}", "Payload.$": "$"},
                    "OutputPath": "$.Payload",
                    "End": True,
                }
            },
        },
        "Throttled": {
            "StartAt": "both",
            "States": {
                "both": {
                    "Type": "Map",
                    "ItemsPath": "$.items",
                    "ItemProcessor": {
                        "ProcessorConfig": {"Mode": "INLINE"},
                        "StartAt": "slow",
                        "States": {
                            "slow": {
                                "Type": "Task",
                                "Resource": "${reserved}",
                                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "caught"}],
                                "End": True,
                            },
                            "caught": {"Type": "Pass", "End": True},
                        },
                    },
                    "End": True,
                }
            },
        },
        "Distributed": {
            "StartAt": "map",
            "States": {
                "map": {
                    "Type": "Map",
                    "ItemReader": {
                        "Resource": "arn:aws:states:::s3:getObject",
                        "ReaderConfig": {"InputType": "JSON"},
                        "Parameters": {"Bucket": "${bucket}", "Key.$": "$.items"},
                    },
                    "ItemSelector": {"item.$": "$$.Map.Item.Value", "run.$": "$.run"},
                    "MaxConcurrency": 2,
                    "ItemProcessor": {
                        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                        "StartAt": "steps",
                        "States": {
                            "steps": {
                                "Type": "Map",
                                "ItemsPath": "$.item.steps",
                                "MaxConcurrency": 1,
                                "ItemProcessor": {
                                    "ProcessorConfig": {"Mode": "INLINE"},
                                    "StartAt": "step",
                                    "States": {"step": _task(End=True)},
                                },
                                "ResultPath": None,
                                "Next": "after",
                            },
                            "after": _task(
                                Parameters={"do": "record", "key.$": "$.item.mark"}, End=True
                            ),
                        },
                    },
                    "ResultWriter": {
                        "Resource": "arn:aws:states:::s3:putObject",
                        "Parameters": {"Bucket": "${bucket}", "Prefix.$": "$.items"},
                    },
                    "ResultSelector": {},
                    "ResultPath": "$.mapped",
                    "Catch": [
                        {
                            "ErrorEquals": ["States.ExceedToleratedFailureThreshold"],
                            "ResultPath": "$.failure",
                            "Next": "failed",
                        }
                    ],
                    "End": True,
                },
                "failed": {"Type": "Pass", "End": True},
            },
        },
    }


def _function(code: str, **properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Code": {"ZipFile": textwrap.dedent(code)},
            "Role": _attribute("Role"),
            "MemorySize": 256,
            "Timeout": 10,
            "Environment": {"Variables": {"BUCKET": {"Ref": "Bucket"}}},
            **properties,
        },
    }


def _machine(definition: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "RoleArn": _attribute("Role"),
            "DefinitionString": json.dumps(definition),
            "DefinitionSubstitutions": {
                "task": _attribute("Task"),
                "reserved": _attribute("Reserved"),
                "bucket": {"Ref": "Bucket"},
            },
        },
    }


def _statements() -> list[dict[str, Any]]:
    inside = {"Fn::Sub": "${Bucket.Arn}/*"}
    return [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": inside,
        },
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": _attribute("Bucket")},
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": _attribute("Task")},
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": {"Fn::Sub": "${Watched.Arn}/readable/*"},
        },
    ]


def _tls_only() -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "Action": "s3:*",
                "Resource": [_attribute("Bucket"), {"Fn::Sub": "${Bucket.Arn}/*"}],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }


def template() -> dict[str, Any]:
    """Returns the stack's template."""
    uploads = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": [{"Ref": "Watched"}]},
            "object": {"key": [{"suffix": {"equals-ignore-case": ".mp4"}}, {"prefix": "in/"}]},
        },
    }
    ends = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"status": ["FAILED", "TIMED_OUT", "ABORTED"]},
    }
    machines = _machines()
    return {
        "Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket"},
            "Watched": {
                "Type": "AWS::S3::Bucket",
                "Properties": {
                    "VersioningConfiguration": {"Status": "Enabled"},
                    "NotificationConfiguration": {
                        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
                    },
                    "LifecycleConfiguration": {
                        "Rules": [
                            {
                                "Id": "expire",
                                "Status": "Enabled",
                                "Prefix": "in/",
                                "ExpirationInDays": 7,
                                "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
                            },
                            {
                                "Id": "abort",
                                "Status": "Disabled",
                                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                            },
                        ]
                    },
                },
            },
            "TlsOnly": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": _tls_only()},
            },
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": _ROLE_DOCUMENT},
            },
            "Policy": {
                "Type": "AWS::IAM::Policy",
                "Properties": {
                    "PolicyName": "work",
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": _statements()},
                    "Roles": [{"Ref": "Role"}],
                },
            },
            "Task": _function(TASK),
            "Reserved": _function(TASK, ReservedConcurrentExecutions=1),
            "Listener": _function(LISTENER, Timeout=10),
            **{
                name: {
                    "Type": "AWS::Events::Rule",
                    "Properties": {
                        "EventPattern": pattern,
                        "Targets": [{"Id": "Listener", "Arn": _attribute("Listener")}],
                    },
                }
                for name, pattern in (("Uploads", uploads), ("Ends", ends))
            },
            **{name: _machine(definition) for name, definition in machines.items()},
        },
        "Outputs": {
            name: {"Value": {"Ref": name}}
            for name in ("Bucket", "Watched", "Task", "Reserved", *machines)
        },
    }


def events(emulator: Emulator, outputs: dict[str, str], kind: str) -> list[dict[str, Any]]:
    """Returns the events of a kind that the stack's listener has received."""
    s3 = emulator.client("s3")
    found = s3.list_objects_v2(Bucket=outputs["Bucket"], Prefix=f"events/{kind}/")
    return [
        json.loads(s3.get_object(Bucket=outputs["Bucket"], Key=item["Key"])["Body"].read())
        for item in found.get("Contents", [])
    ]
