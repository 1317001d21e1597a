"""The imports of each handler, from the layers and the code as they are deployed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import botocore

import layers
from benchmarks.common.timing import Run, Spent, interleaved, spread
from layers.sizes import size_bytes
from stacks.code import function_code

RUNTIME = ("boto3", "botocore", "s3transfer", "urllib3", "jmespath", "dateutil", "six.py")
"""What Lambda's own runtime has besides Python."""

PEER = "botocore and its S3 client"

_PEER_CODE = "import botocore.session; botocore.session.get_session().create_client('s3')"
_TIMED = """
import json, sys, time
wall, cpu = time.perf_counter(), time.process_time()
{code}
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps([wall, cpu, sorted({{name.partition(".")[0] for name in sys.modules}})]))
"""
_HEAVY = ("av", "numpy", "pydantic", "boto3", "botocore", "aws_xray_sdk", "cloudpickle")


def handlers(template: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The functions of a template: their variables, and the kinds of their layers."""
    resources = template["Resources"]
    found = {}
    for one in resources.values():
        handler = one["Properties"].get("Handler", "") if "Function" in one["Type"] else ""
        if not handler.startswith("functions."):
            continue
        step = handler.split(".")[1]
        variables = one["Properties"]["Environment"]["Variables"]
        named = [resources[layer["Ref"]] for layer in one["Properties"]["Layers"]]
        found[step] = {
            "memory_mb": one["Properties"]["MemorySize"],
            "layers": [_kind(layer["Properties"]["Description"]) for layer in named],
            "variables": {name: _plain(value) for name, value in variables.items()},
        }
    return found


def _kind(description: str) -> str:
    return description.removeprefix("ExCamera: ").partition(",")[0]


def _plain(value: Any) -> str:
    """A value of a template as it may be once it is deployed."""
    if isinstance(value, str):
        return value
    return "".join(map(_plain, value["Fn::Join"][1])) if "Fn::Join" in value else "deployed"


def _run(code: str, path: Sequence[Path], variables: Mapping[str, str], folder: Path) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", _TIMED.format(code=code)],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "AWS_REGION": "eu-north-1",
            "AWS_DEFAULT_REGION": "eu-north-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "LAMBDA_TASK_ROOT": "/var/task",  # X-Ray's SDK takes this for Lambda
            **variables,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(
    template: Mapping[str, Any], rounds: int, *, python: str, architecture: str
) -> dict[str, Any]:
    """Returns sizes of code and layers, and seconds of imports by function, beside a peer."""
    functions = handlers(template)
    kinds = {str(kind): kind for kind in layers.ALL}
    built = {
        name: layers.build(kind, architecture=architecture, python=python)
        for name, kind in kinds.items()
    }
    code = function_code(python)
    modules: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        runtime = Path(folder) / "runtime"
        runtime.mkdir()
        packages = Path(botocore.__file__).parents[1]
        for name in RUNTIME:
            (runtime / name).symlink_to(packages / name)

        def turn(
            name: str, statement: str, kinds: Sequence[str], variables: Mapping[str, str]
        ) -> Run:
            path = [code, *(built[kind] / "python" for kind in kinds), runtime]

            def run() -> dict[str, Spent]:
                wall, cpu, modules[name] = _run(statement, path, variables, Path(folder))
                return {name: Spent(wall_s=wall, cpu_s=cpu)}

            return run

        runs = [turn(PEER, _PEER_CODE, (), {})]
        for step, one in functions.items():
            variables = {
                **one["variables"],
                "AWS_LAMBDA_FUNCTION_NAME": step,
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(one["memory_mb"]),
            }
            runs.append(turn(step, f"import functions.{step}.handler", one["layers"], variables))
        interleaved(1, runs)  # so that all files are in memory
        turns = interleaved(rounds, runs)
    peer = spread([spent.cpu_s for spent in turns[PEER]])
    sizes = {name: size_bytes(path) for name, path in built.items()}
    code_bytes = size_bytes(code)
    return {
        "python": python,
        "architecture": architecture,
        "peer": {"what": PEER, "cpu_s": peer},
        "code_bytes": code_bytes,
        "layer_bytes": sizes,
        "functions": {
            step: {
                "memory_mb": one["memory_mb"],
                "layers": one["layers"],
                "unzipped_bytes": code_bytes + sum(sizes[kind] for kind in one["layers"]),
                "cpu_s": spread([spent.cpu_s for spent in turns[step]]),
                "times_as_long_as_peer": round(
                    spread([spent.cpu_s for spent in turns[step]])["median"] / peer["median"], 2
                ),
                "heavy": [name for name in _HEAVY if name in modules[step]],
            }
            for step, one in functions.items()
        },
    }
