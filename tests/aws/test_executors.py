"""Executors on the deployed stack, with all roles enforced: results, failures, rights, the end."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mu
from emulator import Emulator
from emulator.excamera.deployed import Deployed
from emulator.excamera.synthesis import STACK
from mu.engines.stack import deployment
from mu.engines.stack.job import Job
from mu.engines.stack.share import Keys
from mu.store.s3 import client as s3_client
from tests.aws.rights import unneeded
from tests.support.packages import make_wheel
from tests.support.processes import alive, wait_until

pytestmark = [pytest.mark.aws, pytest.mark.slow]

ON = f"stack:{STACK}"
TIMEOUT_S = 120


@pytest.fixture(scope="module")
def stack(guarded: Emulator, assembly: Path) -> Iterator[Deployed]:
    """The stack, deployed where roles are enforced; this process's clients reach it."""
    s3_client.client.cache_clear()
    deployment.client.cache_clear()
    yield Deployed(STACK, guarded.client, guarded.deploy(assembly, STACK))
    s3_client.client.cache_clear()
    deployment.client.cache_clear()


@pytest.fixture(scope="module")
def executor(stack: Deployed) -> Iterator[mu.Executor]:
    """An executor for tests that leave it as it was."""
    del stack
    with mu.Executor(ON, retries=1, timeout=60) as ex:
        yield ex


def worker_processes(guarded: Emulator, stack: Deployed) -> list[int]:
    """The processes that run a worker's call now."""
    told = json.loads(stack.outputs["Mu"])["functions"]
    return [
        pid
        for sizes in told.values()
        for names in sizes.values()
        for name in names
        for pid in guarded.workers(name)
    ]


def objects(stack: Deployed, job: str) -> list[str]:
    """The keys of a job, without its own part."""
    prefix = Keys(job).prefix
    return [key.removeprefix(prefix) for key in stack.keys("WorkBucket") if key.startswith(prefix)]


# ---- functions that run in the cloud; they travel by value ----


def square(x: int) -> int:
    """Squares, and says so."""
    print(f"squaring {x}")
    if x == 13:
        raise ValueError("thirteen")
    return x * x


def quiet_square(x: int) -> int:
    """Squares, and says nothing."""
    return x * x


def count_bytes(megabytes: int) -> int:
    """Takes memory."""
    return len(bytearray(megabytes << 20))


def version_there() -> tuple[str, str]:
    """What workers find of a package that only they have; and a program of it."""
    import subprocess

    import parcel  # type: ignore[import-not-found]

    return parcel.VERSION, subprocess.run(
        ["parcel-version"], capture_output=True, text=True, check=True
    ).stdout


def absent_there() -> None:
    """Imports what only other jobs have."""
    import parcel  # noqa: F401


def wait_the_first_time(key: str, context_url: str) -> str:
    """Takes long, unless it has been called before."""
    if mu.open_store(context_url).put_new(key, b"begun"):
        time.sleep(120)
    return "second attempt"


def around(comm: mu.Comm, start: int) -> tuple[int, int, list[int]]:
    """Sends to the next member, and gathers something too large for a message."""
    comm.send(start * 10, dest=(comm.rank + 1) % comm.size)
    got = comm.recv(source=(comm.rank - 1) % comm.size, timeout=60)
    comm.barrier(timeout=60)
    sizes = [len(one) for one in comm.allgather(bytes(100_000 + comm.rank), timeout=60)]
    pieces = comm.alltoall([comm.rank * 100 + peer for peer in range(comm.size)], timeout=60)
    return got, sum(pieces), sizes


def leave_early(comm: mu.Comm, item: int) -> Any:
    """One member fails, the other waits for it."""
    if item:
        raise RuntimeError("cannot go on")
    return comm.recv(source=1, timeout=60)


def read(url: str) -> bytes:
    """Reads any object."""
    with mu.open(url) as file:
        return file.read()


def write(bucket: str, key: str) -> None:
    """Writes any object."""
    mu.open_store(f"s3://{bucket}").put(key, b"x")


# ---- results and failures ----


def test_calls_return_in_order_and_failures_say_why(executor: mu.Executor) -> None:
    """If this fails, functions do not run on a stack, or their failures cannot be understood."""
    assert executor.submit(square, 7).result(TIMEOUT_S) == 49
    outcomes = list(executor.map(square, range(10, 16), chunksize=2, return_exceptions=True))
    failed = outcomes.pop(3)
    assert outcomes == [100, 121, 144, 196, 225]
    assert isinstance(failed, mu.TaskFailed)
    assert (failed.error, failed.message, failed.attempts) == ("ValueError", "thirteen", 2)
    assert isinstance(failed.__cause__, ValueError)
    assert "squaring 13" in failed.log
    assert "in square\nValueError: thirteen" in failed.details
    assert failed.dollars > 0
    assert executor.cost() > failed.dollars


def test_many_calls_pass_no_limit_of_an_event(stack: Deployed) -> None:
    """If this fails, a map of thousands ends with the 256 KiB that an event may have."""
    with mu.Executor(ON, workers=12) as ex:
        found = ex.map(quiet_square, range(100_000), chunksize=100, ordered=False)
        assert sum(found) == sum(x * x for x in range(100_000))
        job = ex.job
    # 1,000 calls on 12 workers: more shares than an inline map begins at once.
    shares = {key for key in objects(stack, job) if key.startswith("records/")}
    assert len(shares) > 40
    assert {key.partition("/")[0] for key in objects(stack, job)} == {"records"}


def test_a_call_that_lacks_memory_gets_more(executor: mu.Executor) -> None:
    """If this fails, a task that needs more than the smallest worker never succeeds."""
    assert executor.submit(count_bytes, 2200).result(TIMEOUT_S) == 2200 << 20
    sizes = [one.memory_mb for one in executor.records() if one.name == "count_bytes"]
    assert sizes == [1769, 3008]
    failed = executor.submit(count_bytes, 4000).exception(TIMEOUT_S)
    assert isinstance(failed, mu.TaskFailed)
    assert failed.error == "MemoryError"


def test_a_killed_environment_is_noticed_and_its_call_tried_again(
    guarded: Emulator, stack: Deployed
) -> None:
    """If this fails, a call whose environment is gone is lost, or waited for for ever."""
    with mu.Executor(ON) as ex:
        where = f"below:{Keys(ex.job).data}|s3://{json.loads(stack.outputs['Mu'])['bucket']}"
        future = ex.submit(wait_the_first_time, "here", f"{where}?absent=forbidden")
        wait_until(lambda: mu.open_store(where).exists("here"), TIMEOUT_S)
        (environment,) = worker_processes(guarded, stack)
        os.kill(environment, signal.SIGKILL)
        # With more memory, which needs no retries: it may have been for lack of it.
        assert future.result(TIMEOUT_S) == "second attempt"
        assert [one.error for one in ex.records()] == ["WorkerDied", None]


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_every_size_of_worker_runs_calls(stack: Deployed, architecture: str) -> None:
    """If this fails, some of the functions of the stack cannot be used."""
    for memory in json.loads(stack.outputs["Mu"])["functions"][architecture]:
        with mu.Executor(ON, memory=int(memory), architecture=architecture) as ex:
            assert list(ex.map(square, range(4))) == [0, 1, 4, 9]
            assert {one.memory_mb for one in ex.records()} == {int(memory)}


def test_several_calls_share_a_worker(stack: Deployed) -> None:
    """If this fails, calls that each need a part of a worker are billed a whole one."""
    del stack
    with mu.Executor(ON, per_worker=3) as ex:
        assert list(ex.map(square, range(6))) == [0, 1, 4, 9, 16, 25]
        environments = {one.worker.partition(" ")[0] for one in ex.records()}
        assert len(environments) == 2


def test_what_a_stack_lacks_is_named(stack: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a wrong name or size ends in an error of the SDK, or in none."""
    del stack
    with pytest.raises(mu.StackError, match="Nothing"):
        mu.Executor("stack:Nothing")
    with pytest.raises(mu.StackError, match="the largest have 3008"):
        mu.Executor(ON, memory=20_000)
    with pytest.raises(mu.StackError, match="no workers for sparc"):
        mu.Executor(ON, architecture="sparc")
    with pytest.raises(ValueError, match="stack:NAME"):
        mu.Executor("cloud")
    found = deployment.Deployment.find(STACK)
    hasty = replace(found, timeout_s=15)
    monkeypatch.setattr(deployment.Deployment, "find", lambda _: hasty)
    with pytest.raises(mu.StackError, match="end after 15 s"):
        mu.Executor(ON)
    other = replace(found, python="3.8")
    monkeypatch.setattr(deployment.Deployment, "find", lambda _: other)
    with mu.Executor(ON) as ex, pytest.raises(mu.StackError, match="bytecode"):
        ex.submit(square, 1)


def test_a_stuck_call_is_ended(stack: Deployed) -> None:
    """If this fails, a call that hangs is billed until its function's own limit."""
    del stack
    with mu.Executor(ON, timeout=2) as ex:
        error = ex.submit(time.sleep, 600).exception(TIMEOUT_S)
        assert isinstance(error, mu.TaskTimeout)
        assert "2 s" in error.message


def test_workers_are_warmed(stack: Deployed) -> None:
    """If this fails, `mu.warm` starts too few environments."""
    del stack
    with mu.Executor(ON) as ex:
        ex.warm(3)
        assert len({one.worker.partition(" ")[0] for one in ex.records()}) == 3


# ---- gangs ----


def test_a_gang_talks_through_the_store(executor: mu.Executor) -> None:
    """If this fails, workers of a stack cannot talk to each other."""
    expected = [
        (start, sum(peer * 100 + rank for peer in range(3)), [100_000, 100_001, 100_002])
        for rank, start in enumerate([20, 0, 10])
    ]
    assert executor.gang(around, range(3)) == expected


def test_the_failure_that_came_first_is_raised(executor: mu.Executor) -> None:
    """If this fails, a member waits for one that has failed, or hides why it did."""
    with pytest.raises(mu.TaskFailed, match="cannot go on"):
        executor.gang(leave_early, [0, 1])


def test_a_gang_larger_than_the_account_is_refused(stack: Deployed) -> None:
    """If this fails, members hold workers and wait for others that can never begin."""
    del stack
    with mu.Executor(ON, workers=3) as ex, pytest.raises(mu.NotEnoughConcurrency):
        ex.gang(around, range(4))


# ---- programs ----


def test_a_program_takes_files_of_this_machine_and_brings_them_back(
    executor: mu.Executor, tmp_path: Path
) -> None:
    """If this fails, `mu run` on a stack cannot be used with local files."""
    program = tmp_path / "shout"
    program.write_text('#!/bin/sh\necho shouting; tr a-z A-Z < "$1" > "$2"\n')
    for name in ("a.txt", "-b $(x).txt"):
        (tmp_path / name).write_text(f"{name} says hello")
    shout = mu.Command(["shout", mu.input("in"), mu.output("out")], files=[str(program)])
    done = list(executor.map(shout, mu.files(f"{tmp_path}/*.txt"), into=f"{tmp_path}/out/{{stem}}"))
    assert {one.files["out"] for one in done} == {f"{tmp_path}/out/a", f"{tmp_path}/out/-b $(x)"}
    assert (tmp_path / "out" / "a").read_text() == "A.TXT SAYS HELLO"
    assert (tmp_path / "out" / "-b $(x)").read_text() == "-B $(X).TXT SAYS HELLO"
    assert all(one.log == "shouting\n" and one.dollars > 0 for one in done)


def test_a_program_takes_and_leaves_objects(executor: mu.Executor, stack: Deployed) -> None:
    """If this fails, calls cannot reach the buckets that the stack lets them use."""
    s3 = stack.client("s3")
    source, target = stack.outputs["InputBucket"], stack.outputs["OutputBucket"]
    s3.put_object(Bucket=source, Key="in/100% b.json", Body=b"[1]")
    copy = mu.Command(["cp", mu.input("in"), mu.output("out")])
    items = [*mu.files(f"s3://{source}/in/*.json"), f"s3://{source}/in/absent"]
    into = f"s3://{target}/copies/{{name}}"
    done, absent = executor.map(copy, items, into=into, return_exceptions=True)
    assert s3.get_object(Bucket=target, Key="copies/100% b.json")["Body"].read() == b"[1]"
    assert executor.submit(read, done.files["out"]).result(TIMEOUT_S) == b"[1]"
    assert absent.error == "NoSuchKey"
    error = executor.submit(read, f"s3://{target}/absent").exception(TIMEOUT_S)
    assert isinstance(error, mu.TaskFailed)
    assert error.error == "NoSuchKey"


# ---- packages ----


def parcel(folder: Path, version: str) -> Path:
    """A wheel with a module and a program."""
    return make_wheel(folder, "parcel", version, {
        "parcel/__init__.py": f"VERSION = {version!r}\n",
        f"parcel-{version}.data/scripts/parcel-version":
            "#!python\nimport parcel\nprint('program of', parcel.VERSION)\n",
    })  # fmt: skip


def test_jobs_get_the_packages_that_they_declare(stack: Deployed, tmp_path: Path) -> None:
    """If this fails, a call imports another version than its job declares, or none."""
    for version in ("1.0", "2.0", "1.0"):
        packages = [parcel(tmp_path, version)]
        # One environment serves all of them, one after another.
        with mu.Executor(ON, workers=1, packages=packages) as ex:
            assert ex.submit(version_there).result(TIMEOUT_S) == (
                version,
                f"program of {version}\n",
            )
    with mu.Executor(ON, workers=1) as ex:
        failed = ex.submit(absent_there).exception(TIMEOUT_S)
        assert isinstance(failed, mu.TaskFailed)
        assert failed.error == "ModuleNotFoundError"
    stored = [key for key in stack.keys("WorkBucket") if key.startswith("mu-packages/")]
    assert [key.rpartition("/")[2] for key in sorted(stored, key=lambda key: key[-20:])] == [
        "parcel-1.0-py3-none-any.whl", "parcel-2.0-py3-none-any.whl",
    ]  # fmt: skip


def test_programs_of_commands_import_the_packages_of_their_job(
    stack: Deployed, tmp_path: Path
) -> None:
    """If this fails, `mu run --package` brings packages that Python programs do not find."""
    del stack
    wheel = parcel(tmp_path, "4.0")
    program = tmp_path / "use.py"
    program.write_text(
        "#!/usr/bin/env python3\nimport parcel, sys\n"
        "print(parcel.VERSION, 'for', open(sys.argv[1]).read(), file=open(sys.argv[2], 'w'))\n"
    )
    (tmp_path / "a.txt").write_text("a")
    for given, expected in (
        (["./use.py", "--output", "{stem}.used"], "4.0 for a\n"),
        (["--output", "{stem}.used", "--stdout", "--", "parcel-version"], "program of 4.0\n"),
    ):
        arguments = ["run", "--package", str(wheel), "--input", "a.txt", *given]
        done = subprocess.run(
            [sys.executable, "-m", "mu", *arguments], cwd=tmp_path, check=False, timeout=TIMEOUT_S,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "a.used").read_text() == expected


def test_a_folder_is_stored_once_and_travels_by_name(
    stack: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, each job stores a user's own package again, or workers do not import it."""
    folder = tmp_path / "satchel"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from pathlib import Path\n"
        "def told():\n    return __file__, (Path(__file__).parent / 'data.txt').read_text()\n"
    )
    (folder / "data.txt").write_text("data")
    monkeypatch.syspath_prepend(tmp_path)
    told = importlib.import_module("satchel").told
    dates = []
    for _ in range(2):
        with mu.Executor(ON, packages=[folder]) as ex:
            place, data = ex.submit(told).result(TIMEOUT_S)
            # By value, it would say where it lies here.
            assert (place.endswith("/packages/satchel/__init__.py"), data) == (True, "data")
        (key,) = (key for key in stack.keys("WorkBucket") if key.endswith("/satchel.zip"))
        bucket = json.loads(stack.outputs["Mu"])["bucket"]
        dates.append(stack.client("s3").head_object(Bucket=bucket, Key=key)["LastModified"])
        time.sleep(1.1)
    assert dates[0] == dates[1]


def test_a_package_that_has_expired_is_named(stack: Deployed, tmp_path: Path) -> None:
    """If this fails, calls of a job whose packages are gone are tried again and again."""
    bucket = json.loads(stack.outputs["Mu"])["bucket"]
    with mu.Executor(ON, retries=3, packages=[parcel(tmp_path, "3.0")]) as ex:
        for key in stack.keys("WorkBucket"):
            if key.endswith("/parcel-3.0-py3-none-any.whl"):
                stack.client("s3").delete_object(Bucket=bucket, Key=key)
        outcomes = list(ex.map(square, range(3), chunksize=3, return_exceptions=True))
        for failed in outcomes:
            assert isinstance(failed, mu.TaskFailed)
            assert (failed.error, "parcel-3.0" in failed.message) == ("PackageError", True)


def test_calls_may_not_read_packages(stack: Deployed, tmp_path: Path) -> None:
    """If this fails, calls have a right that they do not need: their worker reads for them."""
    bucket = json.loads(stack.outputs["Mu"])["bucket"]
    with mu.Executor(ON, packages=[parcel(tmp_path, "1.0")]) as ex:
        key = next(key for key in stack.keys("WorkBucket") if key.startswith("mu-packages/"))
        failed = ex.submit(read, f"s3://{bucket}/{key}").exception(TIMEOUT_S)
        assert isinstance(failed, mu.TaskFailed)
        assert failed.error == "StoreDenied"


# ---- rights ----


def test_calls_reach_no_other_job(executor: mu.Executor, stack: Deployed) -> None:
    """If this fails, a job reads or changes what belongs to another."""
    bucket = json.loads(stack.outputs["Mu"])["bucket"]
    stack.client("s3").put_object(Bucket=bucket, Key="mu/another/data/secret", Body=b"s")
    stack.client("s3").put_object(Bucket=bucket, Key="jobs/film/plan.json", Body=b"s")
    for call in (
        executor.submit(read, f"s3://{bucket}/mu/another/data/secret"),
        executor.submit(read, f"s3://{bucket}/jobs/film/plan.json"),
        executor.submit(write, bucket, "mu/another/data/secret"),
        executor.submit(write, bucket, f"{Keys(executor.job).prefix}stop.json"),
        executor.submit(write, stack.outputs["InputBucket"], "film.mp4"),
    ):
        error = call.exception(TIMEOUT_S)
        assert isinstance(error, mu.TaskFailed)
        assert error.error == "StoreDenied", error


# ---- flows ----


def plan(event: dict[str, Any]) -> dict[str, Any]:
    """Plans."""
    return {"batches": [{"n": n} for n in range(event["count"])]}


def encode(event: dict[str, Any], context: mu.Context) -> int:
    """Keeps something in the store of the job."""
    context.store.put(f"encoded/{event['n']}", b"x" * event["n"])
    return context.store.size(f"encoded/{event['n']}")


def stitch(event: list[int]) -> dict[str, Any]:
    """Adds up."""
    print("stitching")
    return {"sum": sum(event)}


def test_a_flow_runs_on_the_stack(executor: mu.Executor, tmp_path: Path) -> None:
    """If this fails, flows of a user's own functions run on one machine only."""
    flow = mu.sequence(plan, mu.each("$.batches", encode, concurrency=3), stitch)
    run = executor.start(flow, {"count": 5})
    assert run.result(TIMEOUT_S) == {"sum": 10}
    assert [one.name for one in run.records()] == ["plan", *["encode"] * 5, "stitch"]
    assert run.cost() > 0
    assert run.logs().endswith("--- stitch 0\nstitching\n")
    run.timeline(tmp_path / "t.html")
    assert '"names":["plan","encode","stitch"]' in (tmp_path / "t.html").read_text()


# ---- the end ----


def test_leaving_by_an_exception_leaves_nothing_running(guarded: Emulator, stack: Deployed) -> None:
    """If this fails, Ctrl-C leaves functions running, which are billed."""
    states = stack.client("stepfunctions")
    ex = mu.Executor(ON)

    def interrupted() -> None:
        with ex:
            ex.submit(time.sleep, 600)
            wait_until(lambda: bool(worker_processes(guarded, stack)), TIMEOUT_S)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    job = ex.job
    machine = json.loads(stack.outputs["Mu"])["machine"]
    running = states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]
    assert [one for one in running if one["name"].startswith(job)] == []
    wait_until(lambda: not worker_processes(guarded, stack), 30)
    wait_until(lambda: set(objects(stack, job)) <= {"stop.json", "records/00000-00000.json"}, 30)


def test_one_call_is_cancelled_and_its_worker_goes_on(
    guarded: Emulator, stack: Deployed, executor: mu.Executor
) -> None:
    """If this fails, `Future.cancel` does not stop what is billed, or stops more."""
    slow = executor.submit(time.sleep, 600)
    wait_until(lambda: bool(worker_processes(guarded, stack)), TIMEOUT_S)
    assert slow.cancel()
    wait_until(lambda: not worker_processes(guarded, stack), 30)
    assert executor.submit(square, 3).result(TIMEOUT_S) == 9


def test_the_command_line_follows_cancels_and_accounts(stack: Deployed, tmp_path: Path) -> None:
    """If this fails, `mu map` on a stack, or what it says of its job, is not as documented."""
    del stack
    (tmp_path / "script.py").write_text(
        "import time\ndef work(item):\n    print('working on', item)\n    time.sleep(item)\n"
        "    return item\n"
    )
    (tmp_path / "items.jsonl").write_text("0\n0.1\n")

    def mu_(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "mu", *arguments], cwd=tmp_path, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    out, told = mu_("map", "script.py:work", "--items", "items.jsonl").communicate(timeout=120)
    assert out == "0\n0.1\n", told
    job = told.split()[1]
    assert told == f"job {job} on {STACK}\n"
    printed, _ = mu_("logs", job).communicate(timeout=60)
    assert "--- work 0, attempt 1\nworking on 0\n" in printed
    cost, _ = mu_("cost", job).communicate(timeout=60)
    assert cost.startswith("$0.0")
    assert "2 calls on" in cost
    _, error = mu_("cost", "nothing").communicate(timeout=60)
    assert error == f"mu: {STACK} knows no job 'nothing'\n"

    (tmp_path / "items.jsonl").write_text("600\n")
    running = mu_("map", "script.py:work", "--items", "items.jsonl")
    assert running.stderr is not None
    job = running.stderr.readline().split()[1]
    wait_for(job)
    assert mu_("cancel", job).communicate(timeout=60)[0] == "cancelled\n"
    _, told = running.communicate(timeout=60)
    assert (running.returncode, told) == (2, "mu: the job was cancelled\n")


def wait_for(job: str) -> None:
    """Waits until a job has begun."""
    bucket = deployment.Deployment.find(STACK).bucket
    store = mu.open_store(f"s3://{bucket}")
    wait_until(lambda: bool(store.list(Keys(job).share(""))), TIMEOUT_S)


def test_a_cancelled_job_raises_for_who_waits(stack: Deployed) -> None:
    """If this fails, who waits for a job that another has cancelled waits for ever."""
    del stack
    with mu.Executor(ON) as ex:
        future = ex.submit(time.sleep, 600)
        wait_for(ex.job)
        assert Job(deployment.Deployment.find(STACK), ex.job).cancel() == 1
        with pytest.raises(CancelledError):
            future.result(60)


def test_every_right_of_executors_is_needed(guarded: Emulator, stack: Deployed) -> None:
    """If this fails, workers, calls or their state machine may do more than they need."""
    assert unneeded(guarded, stack, of_executors=True) == []


def test_nothing_is_left(guarded: Emulator, stack: Deployed) -> None:
    """If this fails, the tests above left calls running."""
    wait_until(lambda: not worker_processes(guarded, stack), 30)
    assert not [pid for pid in worker_processes(guarded, stack) if alive(pid)]
