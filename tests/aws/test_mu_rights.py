"""What calls on the deployed stack reach: files, objects, packages, and nothing of other jobs."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mu
from mu.engines.stack.share import Keys
from tests.aws.executors import ON, TIMEOUT_S, Cloud, die, read, square
from tests.aws.rights import unneeded
from tests.support.packages import make_wheel

pytestmark = [pytest.mark.aws, pytest.mark.slow]


# ---- these run in the cloud; they travel by value ----


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


def write(bucket: str, key: str) -> None:
    """Writes any object."""
    mu.open_store(f"s3://{bucket}").put(key, b"x")


# ---- files, objects and packages ----


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


def test_a_program_takes_and_leaves_objects(executor: mu.Executor, cloud: Cloud) -> None:
    """If this fails, calls cannot reach the buckets that the stack lets them use."""
    s3 = cloud.stack.client("s3")
    source, target = cloud.stack.outputs["InputBucket"], cloud.stack.outputs["OutputBucket"]
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


def parcel(folder: Path, version: str) -> Path:
    """A wheel with a module and a program."""
    return make_wheel(folder, "parcel", version, {
        "parcel/__init__.py": f"VERSION = {version!r}\n",
        f"parcel-{version}.data/scripts/parcel-version":
            "#!python\nimport parcel\nprint('program of', parcel.VERSION)\n",
    })  # fmt: skip


def test_jobs_get_the_packages_that_they_declare(cloud: Cloud, tmp_path: Path) -> None:
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
    stored = [key for key in cloud.stack.keys("WorkBucket") if key.startswith("mu-packages/")]
    assert [key.rpartition("/")[2] for key in sorted(stored, key=lambda key: key[-20:])] == [
        "parcel-1.0-py3-none-any.whl", "parcel-2.0-py3-none-any.whl",
    ]  # fmt: skip


def test_programs_of_commands_import_the_packages_of_their_job(
    cloud: Cloud, tmp_path: Path
) -> None:
    """If this fails, `mu run --package` brings packages that Python programs do not find."""
    del cloud
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
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
        (key,) = (key for key in cloud.stack.keys("WorkBucket") if key.endswith("/satchel.zip"))
        bucket = cloud.bucket
        dates.append(cloud.stack.client("s3").head_object(Bucket=bucket, Key=key)["LastModified"])
        time.sleep(1.1)
    assert dates[0] == dates[1]


def test_a_package_that_has_expired_is_named(cloud: Cloud, tmp_path: Path) -> None:
    """If this fails, calls of a job whose packages are gone are tried again and again."""
    bucket = cloud.bucket
    with mu.Executor(ON, retries=3, packages=[parcel(tmp_path, "3.0")]) as ex:
        for key in cloud.stack.keys("WorkBucket"):
            if key.endswith("/parcel-3.0-py3-none-any.whl"):
                cloud.stack.client("s3").delete_object(Bucket=bucket, Key=key)
        outcomes = list(ex.map(square, range(3), chunksize=3, return_exceptions=True))
        for failed in outcomes:
            assert isinstance(failed, mu.TaskFailed)
            assert (failed.error, "parcel-3.0" in failed.message) == ("PackageError", True)


# ---- rights ----


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_every_size_of_worker_runs_calls(cloud: Cloud, architecture: str) -> None:
    """If this fails, some of the functions of the stack cannot be used."""
    for memory in json.loads(cloud.stack.outputs["Mu"])["functions"][architecture]:
        with mu.Executor(ON, memory=int(memory), architecture=architecture) as ex:
            assert list(ex.map(square, range(4))) == [0, 1, 4, 9]
            assert {one.memory_mb for one in ex.records()} == {int(memory)}


def test_calls_may_not_read_packages(cloud: Cloud, tmp_path: Path) -> None:
    """If this fails, calls have a right that they do not need: their worker reads for them."""
    bucket = cloud.bucket
    with mu.Executor(ON, packages=[parcel(tmp_path, "1.0")]) as ex:
        key = next(key for key in cloud.stack.keys("WorkBucket") if key.startswith("mu-packages/"))
        failed = ex.submit(read, f"s3://{bucket}/{key}").exception(TIMEOUT_S)
        assert isinstance(failed, mu.TaskFailed)
        assert failed.error == "StoreDenied"


def test_calls_reach_no_other_job(executor: mu.Executor, cloud: Cloud) -> None:
    """If this fails, a job reads or changes what belongs to another."""
    bucket = cloud.bucket
    cloud.stack.client("s3").put_object(Bucket=bucket, Key="mu/another/data/secret", Body=b"s")
    cloud.stack.client("s3").put_object(Bucket=bucket, Key="jobs/film/plan.json", Body=b"s")
    for call in (
        executor.submit(read, f"s3://{bucket}/mu/another/data/secret"),
        executor.submit(read, f"s3://{bucket}/jobs/film/plan.json"),
        executor.submit(write, bucket, "mu/another/data/secret"),
        executor.submit(write, bucket, f"{Keys(executor.job).prefix}stop.json"),
        executor.submit(write, cloud.stack.outputs["InputBucket"], "film.mp4"),
    ):
        error = call.exception(TIMEOUT_S)
        assert isinstance(error, mu.TaskFailed)
        assert error.error == "StoreDenied", error


def test_every_right_of_executors_is_needed(cloud: Cloud) -> None:
    """If this fails, workers, calls or their state machine may do more than they need."""
    # Beside what the tests above do: there are more shares than an inline map takes, and one is
    # lost with its worker.
    with mu.Executor(ON, workers=12) as ex:
        assert list(ex.map(abs, range(48))) == list(range(48))
        assert isinstance(ex.submit(die, "environment").exception(TIMEOUT_S), mu.WorkerDied)
    assert unneeded(cloud.emulator, cloud.stack, of_executors=True) == []
