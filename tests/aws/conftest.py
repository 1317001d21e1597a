"""The synthesised stack, deployed to an emulator, and the local engine's results to compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import mu
from emulator import Emulator
from emulator.excamera.deployed import Deployed, digest
from emulator.excamera.synthesis import HOST_CONTEXT, STACK
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from mu.engines.stack import deployment
from mu.store.s3 import client as s3_client
from tests.aws.executors import ON, Cloud
from tests.pipeline.clips import Clip
from tests.support.assembly import built
from tests.support.emulator import an_emulator

Locally = Callable[..., str]


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app, synthesised for functions that run on this machine."""
    directory = tmp_path_factory.mktemp("assembly")
    built(directory, **HOST_CONTEXT)
    return directory


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator of AWS; skips where none is installed."""
    with an_emulator(tmp_path_factory.mktemp("aws")) as running:
        yield running


@pytest.fixture(scope="session")
def stack(emulator: Emulator, assembly: Path) -> Deployed:
    """The stack, deployed there."""
    return Deployed(STACK, emulator.client, emulator.deploy(assembly, STACK))


@pytest.fixture(scope="session")
def locally(tmp_path_factory: pytest.TempPathFactory) -> Locally:
    """Returns the digest of the local engine's result; each file and options are encoded once."""
    folder = tmp_path_factory.mktemp("locally")
    made: dict[tuple[Path, EncodeOptions], str] = {}

    def encoded(source: Path, options: EncodeOptions | None = None) -> str:
        options = options or EncodeOptions()
        if (source, options) not in made:
            output = folder / f"{len(made)}.webm"
            encode_file(str(source), output, options, workers=2)
            made[source, options] = digest(output.read_bytes())
        return made[source, options]

    return encoded


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of moving picture with sound: two chunks and a short one."""
    return Clip(frames=26, sound="aac").write(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that enforces roles, bucket policies and signatures; its variables are set."""
    with (
        an_emulator(tmp_path_factory.mktemp("guarded"), authenticate=True) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


@pytest.fixture(scope="session")
def deployed_for_executors(
    tmp_path_factory: pytest.TempPathFactory, assembly: Path
) -> Iterator[Cloud]:
    """The stack where roles are enforced: one for all modules with executors, as it takes long."""
    with an_emulator(tmp_path_factory.mktemp("executors"), authenticate=True) as running:
        yield Cloud(running, Deployed(STACK, running.client, running.deploy(assembly, STACK)))


@pytest.fixture(scope="module")
def cloud(deployed_for_executors: Cloud) -> Iterator[Cloud]:
    """That stack; this process's clients reach it."""
    caches = s3_client.client, deployment.client
    with pytest.MonkeyPatch.context() as patch:
        for name, value in deployed_for_executors.emulator.environment.items():
            patch.setenv(name, value)
        for cache in caches:
            cache.cache_clear()
        yield deployed_for_executors
    for cache in caches:
        cache.cache_clear()


@pytest.fixture(scope="module")
def executor(cloud: Cloud) -> Iterator[mu.Executor]:
    """An executor for tests that leave it as it was."""
    del cloud
    with mu.Executor(ON, retries=1, timeout=60) as ex:
        yield ex


@pytest.fixture(scope="module")
def unscheduled(stack: Deployed) -> Iterator[None]:
    """No schedule calls a function while a module counts calls and requests."""
    events = stack.client("events")
    pages = events.get_paginator("list_rules").paginate()
    rules = [rule for page in pages for rule in page["Rules"] if rule.get("ScheduleExpression")]
    names = [rule["Name"] for rule in rules if rule["State"] == "ENABLED"]
    assert names
    for name in names:
        events.disable_rule(Name=name)
    yield
    for name in names:
        events.enable_rule(Name=name)
