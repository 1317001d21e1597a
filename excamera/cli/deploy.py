"""`excamera deploy`, `excamera synth` and `excamera destroy`."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import click

from excamera.cli.cloud import Cloud, cloud_command
from excamera.cli.help import OUTPUT, RUNNING, command, option
from excamera.errors import CloudError, OptionError
from excamera.job.steps import DEFAULT_MEMORY_MB, ENCODE_SIZES_MB

_settings = option(
    "-c", "--context", "settings", section=RUNNING, metavar="NAME=VALUE", multiple=True,
    help="A setting that differs from the default and from this folder's cdk.json.",
)  # fmt: skip


@command(
    examples=[
        ("excamera deploy --bootstrap", "The first time in an account and region."),
        ("excamera deploy -c workers_at_once=200 --stack Films", "Another stack, with a setting."),
    ]
)
@_settings
@option(
    "--bootstrap", section=RUNNING, is_flag=True, help="Bootstrap the account first, if need be."
)
@option("--yes", section=RUNNING, is_flag=True, help="Do not show the changes and ask.")
@cloud_command
def deploy(cloud: Cloud, settings: tuple[str, ...], bootstrap: bool, yes: bool) -> None:
    """Deploy the stack into an AWS account.

    Settings that differ from the defaults are in the context of this folder's cdk.json.

    Looks first whether credentials, region, bootstrap and quotas are as they must be. Jobs that run
    go on with the code with which they began. Afterwards, removes versions of functions that no job
    can need any more.
    """
    from excamera.cloud.cdk import Cdk
    from excamera.cloud.deploy import OLDEST_BOOTSTRAP, look
    from excamera.cloud.project import project
    from excamera.cloud.versions import release_provisioned, remove_old

    context = _context(settings)
    deployed = project()
    own = deployed.context()
    context.setdefault("stack_name", cloud.name if cloud.named else str(own["stack_name"]))
    before = look(cloud.account, context["stack_name"], deployed, context)
    if deployed.own_settings:
        click.echo(f"settings  {deployed.own_settings}")
    click.echo(f"account   {before.account}, as {before.identity}")
    click.echo(f"region    {before.region}")
    click.echo(f"stack     {context['stack_name']}: "
               f"{before.stack.status if before.stack else 'new'}")  # fmt: skip
    for note in before.notes():
        click.echo(f"note      {note}")
    memory = {**DEFAULT_MEMORY_MB, **own.get("memory_mb", {})}
    fitted = before.fit_memory(memory)
    if fitted != memory and "memory_mb" not in context:
        context["memory_mb"] = json.dumps(fitted)
        most = max(fitted.values())
        click.echo(f"note      new accounts allow functions of {most:,} MB, so none has more")
    sizes = own.get("encode_sizes", ENCODE_SIZES_MB)
    if before.fit_sizes(sizes) != list(sizes) and "encode_sizes" not in context:
        context["encode_sizes"] = json.dumps(before.fit_sizes(sizes))
    front = before.fit_front()
    if front and "front_reserved" not in context and not own.get("front_reserved"):
        context["front_reserved"] = json.dumps(front)
        click.echo(f"note      {front} calls at a time are reserved for each function of the front")
    environment = {"AWS_REGION": before.region, "AWS_DEFAULT_REGION": before.region}
    if cloud.profile:
        environment["AWS_PROFILE"] = cloud.profile
    with tempfile.TemporaryDirectory(prefix="excamera-deploy-") as scratch:
        out = Path(scratch) / "cdk.out"
        cdk = Cdk(deployed, environment, context, click.echo)
        if bootstrap and (before.bootstrap or 0) < OLDEST_BOOTSTRAP:
            # Without the app of cdk.json, which the CDK would synthesise only to bootstrap.
            cdk.run("bootstrap", f"aws://{before.account}/{before.region}", "--app", "")
            before = look(cloud.account, context["stack_name"], deployed, context)
        before.check()
        click.echo("synthesising; the first time this builds the layers")
        name = cdk.synthesise(out)
        if not yes:
            cdk.run("diff", name, "--app", str(out))
            click.confirm("Deploy these changes?", abort=True)
        cdk.run("deploy", name, "--app", str(out), "--require-approval", "never",
                "--progress", "events")  # fmt: skip
    try:
        gone = remove_old(cloud.account, cloud.account.stack(context["stack_name"]))
    except CloudError as error:
        click.echo(f"note      old versions of functions stay: {error}")
    else:
        if gone:
            click.echo(f"note      {len(gone)} old versions of functions are removed")
    try:
        released = release_provisioned(cloud.account, cloud.account.stack(context["stack_name"]))
    except CloudError as error:
        click.echo(f"note      replaced versions may keep environments ready: {error}")
    else:
        if released:
            click.echo(f"note      {released} replaced versions keep no environments ready")
    option = _option(context["stack_name"])
    click.echo(
        f"deployed; try `excamera doctor{option}`, or "
        f"`excamera submit film.mp4 -o film.webm{option}`"
    )


@command(examples=[("excamera synth -o cdk.out", "Writes what `deploy` would deploy.")])
@_settings
@option("-o", "--output", section=OUTPUT, metavar="FOLDER", type=click.Path(path_type=Path),
              envvar="CDK_OUTDIR", default="cdk.out", show_default=True,
              help="Where to write it.")  # fmt: skip
def synth(settings: tuple[str, ...], output: Path) -> None:
    """Write the stack's template, code and layers, without an account.

    With "app": "excamera synth" in its cdk.json, a folder is one for the CDK's own command line.
    """
    from excamera.cloud.cdk import Cdk
    from excamera.cloud.project import project

    # The CDK's command line passes its settings on like this.
    context = json.loads(os.environ.get("CDK_CONTEXT_JSON") or "{}") | _context(settings)
    Cdk(project(), {}, context, click.echo).write(output.absolute())
    click.echo(f"{output} holds the stack as it would be deployed")


@command(examples=[("excamera destroy --stack Films", "Shows what goes, and asks.")])
@option("--yes", section=RUNNING, is_flag=True, help="Do not ask.")
@cloud_command
def destroy(cloud: Cloud, yes: bool) -> None:
    """Delete a deployed stack; its buckets stay unless it was deployed with removal=destroy."""
    from excamera.cloud.deploy import destroy as delete

    stack = cloud.stack
    if not yes:
        click.confirm(f"Delete the stack {stack.name} in {cloud.account.region}?", abort=True)
    left = delete(cloud.account, stack.name)
    click.echo(f"{stack.name} is deleted")
    for bucket in left:
        click.echo(f"left: the bucket {bucket}, with all that is in it")


def _option(stack: str) -> str:
    return "" if stack == "ExCamera" else f" --stack {stack}"


def _context(settings: tuple[str, ...]) -> dict[str, str]:
    context = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise OptionError(f"-c takes NAME=VALUE, not {setting!r}")
        context[name] = value
    return context
