"""`make cloud`: the stack on an emulator of AWS, to try uploads without an account.

Synthesises the app for functions that run on this machine, deploys it on loopback, prints how to
upload, and reports on every upload until Ctrl-C.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from emulator import Emulator, EmulatorUnavailableError
from emulator.__main__ import serve
from emulator.excamera.deployed import Deployed, Job
from emulator.excamera.synthesis import HOST_CONTEXT, STACK, synthesise

_LOOK_EVERY_S = 0.5


def greet(emulator: Emulator, outputs: dict[str, str]) -> None:
    """Prints how to upload and where results appear, and starts reporting on jobs."""
    inbox, outbox = (f"{emulator.endpoint}/{outputs[b]}" for b in ("InputBucket", "OutputBucket"))
    print(
        f"""
The stack {STACK} is deployed on an emulator of AWS on this machine.

Upload a video from another terminal:

  curl -T film.mp4 {inbox}/film.mp4

with options of its own:

  curl -T film.mp4 -H 'x-amz-meta-excamera-crf: 30' {inbox}/film.mp4

The result appears under the same name as WebM, a failure with its reason here:

  curl -o film.webm {outbox}/film.webm

Any AWS tool works as well, and so do the commands of `excamera` (submit, status, doctor, ...),
with these variables and buckets:
"""
    )
    for name, value in emulator.environment.items():
        print(f"  export {name}={value}")
    print()
    for name, value in outputs.items():
        print(f"  {name:<16} {value}")
    print("\nCtrl-C ends it, and forgets everything.\n", flush=True)
    stack = Deployed(STACK, emulator.client, outputs)
    threading.Thread(target=tell, args=(stack, outbox), daemon=True).start()


def tell(stack: Deployed, outbox: str) -> None:
    """Prints a line for every job that starts or ends, for as long as the emulator answers."""
    states = stack.client("stepfunctions")
    known: dict[str, str] = {}
    while True:
        try:
            listed = states.list_executions(stateMachineArn=stack.outputs["StateMachineArn"])
            for execution in reversed(listed["executions"]):
                arn, status = execution["executionArn"], execution["status"]
                if known.get(arn) != status:
                    known[arn] = status
                    print(line(stack, execution, outbox), flush=True)
        except Exception:
            return  # the emulator was stopped
        time.sleep(_LOOK_EVERY_S)


def line(stack: Deployed, execution: dict[str, Any], outbox: str) -> str:
    """Returns the line to print about a job."""
    if execution["status"] == "RUNNING":
        return f"{execution['name']}: started"
    job = stack.ended(execution["executionArn"])
    took_s = (execution["stopDate"] - execution["startDate"]).total_seconds()
    return f"{job.name}: {_ending(job, outbox)} ({took_s:.1f} s)"


def _ending(job: Job, outbox: str) -> str:
    if job.status != "SUCCEEDED":
        return f"{job.status.lower()}: {job.error}: {job.message}"
    done = job.output
    return f"{outbox}/{quote(done['key'])} has {done['frames']} frames, {done['size']:,} bytes"


def main() -> int:
    """Runs until interrupted; returns 1 if that is not possible."""
    if sys.platform != "linux":
        print(
            "The emulator runs the stack's functions, which are programs for Linux, as on Lambda: "
            "run `make cloud` on Linux or in WSL.",
            file=sys.stderr,
        )
        return 1
    with tempfile.TemporaryDirectory(prefix="excamera-cloud-") as scratch:
        assembly = Path(scratch) / "cdk.out"
        print("Synthesising the stack; the first time this builds its layers.", flush=True)
        if synthesise(assembly, stderr=None, **HOST_CONTEXT).returncode:
            return 1
        try:
            serve(assembly, STACK, Path(scratch) / "emulator", greet)
        except EmulatorUnavailableError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
