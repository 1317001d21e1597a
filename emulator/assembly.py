"""Deploys a synthesised CDK assembly, through boto3, as `cdk deploy` would."""

import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# `cdk bootstrap` leaves a parameter with its version behind; every template of the CDK reads it.
_BOOTSTRAP_VERSION = "30"
_INLINE_TEMPLATE_LIMIT_BYTES = 51_200
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_CHUNK_BYTES = 1 << 20


class DeploymentError(RuntimeError):
    """The stack could not be created."""


def deploy(clients: Any, assembly: Path, stack: str) -> dict[str, str]:
    """Creates a stack, or updates the existing one.

    Args:
        clients: Returns a boto3 client for a service's name.
        assembly: The directory, usually cdk.out.
        stack: The stack's name; its files in the assembly start with it.

    Returns:
        The stack's outputs.

    Raises:
        DeploymentError: A resource could not be created; the message says which and why.
    """
    template = (assembly / f"{stack}.template.json").read_bytes()
    bootstrap = json.loads(template).get("Parameters", {}).get("BootstrapVersion")
    if bootstrap is not None:
        clients("ssm").put_parameter(
            Name=bootstrap["Default"], Value=_BOOTSTRAP_VERSION, Type="String", Overwrite=True
        )
    location = _publish_assets(clients, assembly, stack)
    source = (
        {"TemplateBody": template.decode()}
        if len(template) <= _INLINE_TEMPLATE_LIMIT_BYTES or location is None
        else {"TemplateURL": location}
    )
    formation = clients("cloudformation")
    creating = not _exists(formation, stack)
    act, waiter = (
        (formation.create_stack, "stack_create_complete")
        if creating
        else (formation.update_stack, "stack_update_complete")
    )
    act(StackName=stack, Capabilities=["CAPABILITY_NAMED_IAM"], **source)
    _wait(formation, waiter, stack)
    description = formation.describe_stacks(StackName=stack)["Stacks"][0]
    return {item["OutputKey"]: item["OutputValue"] for item in description.get("Outputs", [])}


def destroy(clients: Any, stack: str) -> None:
    """Deletes a stack; retained resources, such as buckets, stay.

    Raises:
        DeploymentError: A resource could not be deleted.
    """
    formation = clients("cloudformation")
    formation.delete_stack(StackName=stack)
    _wait(formation, "stack_delete_complete", stack)


def _exists(formation: Any, stack: str) -> bool:
    try:
        found = formation.describe_stacks(StackName=stack)["Stacks"]
    except formation.exceptions.ClientError:
        return False
    return any(item["StackStatus"] != "DELETE_COMPLETE" for item in found)


def _wait(formation: Any, waiter: str, stack: str) -> None:
    from botocore.exceptions import WaiterError

    try:
        formation.get_waiter(waiter).wait(
            StackName=stack, WaiterConfig={"Delay": 0.1, "MaxAttempts": 3000}
        )
    except WaiterError as error:
        raise DeploymentError(
            "\n".join([f"{stack}: {error}", *_problems(formation, stack)])
        ) from None


def _problems(formation: Any, stack: str) -> Iterator[str]:
    pages = formation.get_paginator("describe_stack_events").paginate(StackName=stack)
    events = [event for page in pages for event in page["StackEvents"]]
    for event in reversed(events):
        if event["ResourceStatus"].endswith("FAILED"):
            reason = event.get("ResourceStatusReason", "no reason given")
            yield f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"


def _publish_assets(clients: Any, assembly: Path, stack: str) -> str | None:
    """Uploads the assembly's missing files; returns the template's address."""
    manifest = assembly / f"{stack}.assets.json"
    if not manifest.exists():
        return None
    account = clients("sts").get_caller_identity()["Account"]
    region = clients("sts").meta.region_name
    location = None
    for file in json.loads(manifest.read_text())["files"].values():
        source = assembly / file["source"]["path"]
        for destination in file["destinations"].values():
            bucket, key = (
                _resolved(destination[name], account, region)
                for name in ("bucketName", "objectKey")
            )
            _publish(clients("s3"), source, file["source"]["packaging"], bucket, key)
            if source.name == f"{stack}.template.json":
                location = f"https://s3.{region}.amazonaws.com/{bucket}/{key}"
    return location


def _resolved(text: str, account: str, region: str) -> str:
    values = {"AccountId": account, "Region": region, "Partition": "aws"}
    for name, value in values.items():
        text = text.replace(f"${{AWS::{name}}}", value)
    return text


def _publish(s3: Any, source: Path, packaging: str, bucket: str, key: str) -> None:
    try:
        s3.head_bucket(Bucket=bucket)
    except s3.exceptions.ClientError:
        s3.create_bucket(Bucket=bucket)
    try:
        # Keys are hashes of the content: an existing object is the same.
        s3.head_object(Bucket=bucket, Key=key)
        return
    except s3.exceptions.ClientError:
        pass
    if packaging == "file":
        s3.upload_file(str(source), bucket, key)
        return
    with tempfile.TemporaryFile() as archive:
        write_zip(source, archive)
        archive.seek(0)
        s3.upload_fileobj(archive, bucket, key)


def write_zip(directory: Path, target: Any) -> None:
    """Writes a directory as a zip; the same content gives the same bytes.

    The zip is not compressed: over loopback, compression only costs time at both ends.

    Args:
        directory: The directory to write.
        target: A writable binary file.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(directory.rglob("*")):
            name = path.relative_to(directory).as_posix()
            if path.is_symlink():
                entry = zipfile.ZipInfo(name, _ZIP_TIME)
                entry.create_system, entry.external_attr = 3, 0o120777 << 16
                archive.writestr(entry, str(path.readlink()))
            elif path.is_file():
                entry = zipfile.ZipInfo(name, _ZIP_TIME)
                mode = 0o100755 if path.stat().st_mode & 0o100 else 0o100644
                entry.create_system, entry.external_attr = 3, mode << 16
                entry.file_size = path.stat().st_size
                with path.open("rb") as content, archive.open(entry, "w") as written:
                    while chunk := content.read(_CHUNK_BYTES):
                        written.write(chunk)
