"""The behaviour of Lambda that the stack's tests rely on."""

import base64
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from emulator import Emulator
from emulator.runs import billed, ended, output, quiet, run, start, until
from tests.emulator.example import STACK
from tests.support.emulator import an_emulator

pytestmark = pytest.mark.aws


def test_retry_by_class_name(emulator: Emulator, outputs: dict[str, str]) -> None:
    """Retry rules that name an exception's class do not match, or the function loses its state."""
    event = {"do": "fail once", "key": "retry"}
    assert output(run(emulator, outputs["Single"], event)) == event


def test_catch_keeps_error_beside_input(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A caught error has another name, or ResultPath loses the state's input."""
    result = output(run(emulator, outputs["Single"], {"do": "take memory", "bytes": 1 << 30}))
    assert result["do"] == "take memory"
    assert result["failure"]["work"]["Error"] == "Runtime.ExitError"


def test_memory_limit(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A function dies below its memory limit, or exceeds it, or its log does not report it."""
    within = {"do": "take memory", "bytes": 160 << 20}
    assert output(run(emulator, outputs["Optimized"], within)) == within
    deaths = emulator.logs(outputs["Task"]).count("Runtime.ExitError")
    died = run(emulator, outputs["Optimized"], {"do": "take memory", "bytes": 300 << 20})
    assert (died["status"], died["error"]) == ("FAILED", "Runtime.ExitError")
    until(lambda: emulator.logs(outputs["Task"]).count("Runtime.ExitError") > deaths)


def test_death_is_exit_error(emulator: Emulator, outputs: dict[str, str]) -> None:
    """The end of a function's process is not reported as on Lambda, so it is not retried."""
    event = {"do": "die once", "key": "death"}
    assert output(run(emulator, outputs["Single"], event)) == event
    result = run(emulator, outputs["Optimized"], {"do": "die"})
    assert (result["status"], result["error"]) == ("FAILED", "Runtime.ExitError")


def test_killed_worker(emulator: Emulator, outputs: dict[str, str]) -> None:
    """Tests cannot kill a running function, or the execution does not notice."""
    arn = start(emulator, outputs["Optimized"], {"do": "sleep", "seconds": 9})
    [pid] = until(lambda: emulator.workers(outputs["Task"]))
    os.kill(pid, signal.SIGKILL)
    assert ended(emulator, arn)["error"] == "Runtime.ExitError"


def test_timeout(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A function may run beyond its timeout, or its end has another name than on AWS."""
    result = run(emulator, outputs["Optimized"], {"do": "sleep", "seconds": 30})
    assert (result["status"], result["error"]) == ("FAILED", "Sandbox.Timedout")


def test_throttle(emulator: Emulator, outputs: dict[str, str]) -> None:
    """Reserved concurrency is not enforced, or a refusal has another name than on AWS."""
    items = [{"do": "sleep", "seconds": 4}] * 3
    results = output(run(emulator, outputs["Throttled"], {"items": items}))
    errors = [result["Error"] for result in results if "Error" in result]
    assert 1 <= len(errors) <= 2
    assert set(errors) == {"Lambda.TooManyRequestsException"}


@pytest.mark.slow
def test_waiting_is_not_billed(assembly: Path, tmp_path: Path) -> None:
    """The reported cost of a function depends on how many others ran."""
    calls, sleep_s, memory_gb = 3, 4, 0.25
    with an_emulator(tmp_path, concurrency=1) as emulator:
        task = emulator.deploy(assembly, STACK)["Task"]

        def call(_: int) -> int:
            payload = json.dumps({"do": "sleep", "seconds": sleep_s})
            answer = emulator.client("lambda").invoke(FunctionName=task, Payload=payload)
            return int(answer["StatusCode"])

        with ThreadPoolExecutor(calls) as callers:
            assert set(callers.map(call, range(calls))) == {200}
        took = sorted(one / memory_gb for one in billed(emulator.logs(task)))
    assert len(took) == calls
    # One began in a new environment; one waited for one call, and one for two.
    assert sleep_s <= took[0] <= took[1] < 2 * sleep_s


def test_environments_that_nobody_uses_end(tmp_path: Path, assembly: Path) -> None:
    """The environments of old versions and of bursts fill the memory of a machine."""
    with an_emulator(tmp_path, idle=2, idle_s=1.0) as small:
        task = small.deploy(assembly, STACK)["Task"]
        function, payload = small.client("lambda"), json.dumps({"do": "sleep", "seconds": 1})

        def call(_number: int) -> int:
            return int(function.invoke(FunctionName=task, Payload=payload)["StatusCode"])

        with ThreadPoolExecutor(6) as callers:
            assert set(callers.map(call, range(6))) == {200}
        until(lambda: len(environments(small)) <= 2)
        assert environments(small)
        assert call(0) == 200


def environments(emulator: Emulator) -> list[int]:
    """The processes of its functions, which belong to the groups of its servers."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
            group = int((folder / "stat").read_text().rpartition(")")[2].split()[2])
        except (OSError, ValueError):
            continue
        if b"awslambdaric" in line and group in emulator.pids:
            found.append(int(folder.name))
    return found


def test_environment(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A function sees this machine's files, or its own are not where Lambda puts them."""
    found = output(run(emulator, outputs["Optimized"], {"do": "where"}))
    if found["task"] != "/var/task":
        pytest.skip("This machine allows no mounts of its own.")
    assert found["path"] == "/opt/python"
    assert found["opt"] == []


def test_bytecode_of_tmp(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A function imports what another had in its /tmp, under the same name in the same second."""
    assert output(run(emulator, outputs["Optimized"], {"do": "import twice"})) == ["0\n", "1\n"]


def test_logs_and_counts(emulator: Emulator, outputs: dict[str, str]) -> None:
    """Measurements miss calls, or a function's output is lost."""
    before = quiet(emulator)
    output(run(emulator, outputs["Optimized"], {"do": "record", "key": "counted"}))
    calls = emulator.requests() - before
    assert (calls["lambda:Invoke"], calls["s3:PutObject"]) == (1, 1)
    assert calls["states:StartExecution"] == 1
    until(lambda: "doing record" in emulator.logs(outputs["Task"]))


def test_quiet_waits_for_functions_that_send_nothing_yet(
    emulator: Emulator, outputs: dict[str, str]
) -> None:
    """On a busy machine, measurements miss what a function does that starts slowly."""
    before = quiet(emulator)
    emulator.client("lambda").invoke(
        FunctionName=outputs["Task"],
        InvocationType="Event",
        Payload=json.dumps({"do": "record", "key": "late", "seconds": 3}),
    )
    assert (quiet(emulator) - before)["s3:PutObject"] == 1


def test_the_log_is_whole(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A busy machine loses what a function writes, and tests wait for it in vain."""

    def log(_: int) -> str:
        answer = emulator.client("lambda").invoke(
            FunctionName=outputs["Task"],
            Payload=json.dumps({"do": "sleep", "seconds": 0}),
            LogType="Tail",
        )
        return base64.b64decode(answer["LogResult"]).decode()

    with ThreadPoolExecutor(8) as callers:
        logs = list(callers.map(log, range(200)))
    assert [log for log in logs if log.count("doing sleep") != 1] == []
