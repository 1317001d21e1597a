"""Gangs on a stack that has a server for their messages; all roles are enforced."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

import mu
from emulator import Emulator
from emulator.excamera.deployed import Deployed
from emulator.excamera.synthesis import HOST_CONTEXT, STACK
from mu.engines.stack import deployment
from mu.engines.stack.share import Keys
from mu.store.s3 import client as s3_client
from tests.support.assembly import built

pytestmark = [pytest.mark.aws, pytest.mark.slow]

ON = f"stack:{STACK}"


@pytest.fixture(scope="module")
def stack(guarded: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The stack with a server, deployed where roles are enforced."""
    if not (shutil.which("redis-server") or shutil.which("valkey-server")):
        pytest.skip("no redis-server here (Debian: redis-server)")
    assembly: Path = tmp_path_factory.mktemp("with-server")
    built(assembly, **HOST_CONTEXT, mu_server="valkey")
    s3_client.client.cache_clear()
    deployment.client.cache_clear()
    yield Deployed(STACK, guarded.client, guarded.deploy(assembly, STACK))
    s3_client.client.cache_clear()
    deployment.client.cache_clear()


@pytest.fixture(scope="module")
def server(guarded: Emulator, stack: Deployed) -> Iterator[Any]:
    """The stack's server, to look into with the rights of calls."""
    url = urlsplit(json.loads(stack.outputs["Mu"])["server"])
    with redis.Redis(
        host=str(url.hostname),
        port=url.port or 0,
        username=url.username,
        password="no token of IAM, which nobody checks here",
        ssl=True,
        ssl_ca_certs=guarded.environment["AWS_CA_BUNDLE"],
        protocol=2,
        driver_info=None,
    ) as client:
        yield client


def keys_of(server: Any, job: str, gang: int = 0) -> int:
    """How many sets of keys the server has of a gang: one, or none when it is forgotten."""
    return int(server.exists(f"{{{Keys(job).messages}/gangs/{gang}}}"))


# ---- functions that run in the cloud; they travel by value ----


def talk(comm: mu.Comm, start: int) -> tuple[int, list[int]]:
    """Sends to the next member, and gathers something too large for a message."""
    comm.send(start * 10, dest=(comm.rank + 1) % comm.size)
    got = comm.recv(source=(comm.rank - 1) % comm.size, timeout=60)
    comm.barrier(timeout=60)
    return got, [len(one) for one in comm.allgather(bytes(100_000 + comm.rank), timeout=60)]


TALKED = [(start, [100_000, 100_001, 100_002]) for start in (20, 0, 10)]
"""What three that `talk` return."""


def fail(comm: mu.Comm, item: int) -> Any:
    """One member fails, another waits for it."""
    if item:
        raise RuntimeError("cannot go on")
    return comm.recv(source=1, timeout=60)


def return_early(comm: mu.Comm, item: int) -> Any:
    """One member returns, another waits for it, and says why it no longer does."""
    if item:
        return "returned"
    try:
        return comm.recv(source=1, timeout=60)
    except mu.errors.PeerFailed as error:
        return str(error)


def wait_for(comm: mu.Comm, seconds: float) -> Any:
    """One member waits for another, which takes its time."""
    if comm.rank:
        time.sleep(seconds)
        comm.send("at last", dest=0)
    return comm.recv(source=1, timeout=60) if comm.rank == 0 else None


def turn_in_circles(comm: mu.Comm, _: int) -> Any:
    """Each waits for the other."""
    return comm.recv(source=1 - comm.rank, timeout=60)


def lose_a_worker_once(comm: mu.Comm, url: str) -> list[int]:
    """A member dies after it has sent and received, and begins again."""
    import os
    import signal

    comm.send(comm.rank, dest=1 - comm.rank)
    got = comm.recv(source=1 - comm.rank, timeout=60)
    if comm.rank and mu.open_store(url).put_new("a-member-died", b""):
        os.kill(os.getpid(), signal.SIGKILL)
    return [got, *comm.allgather(comm.rank, timeout=60)]


# ---- what holds ----


def test_members_talk_through_the_server_which_then_forgets(stack: Deployed, server: Any) -> None:
    """If this fails, messages are carried by something else, or stay in the server and cost."""
    with mu.Executor(ON, timeout=60, channel="valkey") as ex:
        assert ex.gang(talk, range(3)) == TALKED
        job = ex.job
    assert keys_of(server, job) == 0
    left = [key for key in stack.keys("WorkBucket") if key.startswith(Keys(job).data)]
    assert left == []


def test_members_learn_how_others_have_ended(stack: Deployed, server: Any) -> None:
    """If this fails, a member waits for one that has failed or returned."""
    del stack
    with mu.Executor(ON, timeout=60, channel="valkey") as ex:
        with pytest.raises(mu.TaskFailed, match="cannot go on"):
            ex.gang(fail, [0, 1])
        assert ex.gang(return_early, [0, 1])[0].endswith("has returned")
        job = ex.job
    assert [keys_of(server, job, gang) for gang in (0, 1)] == [0, 0]


def test_a_failure_that_leaves_the_executor_leaves_nothing_in_the_server(
    stack: Deployed, server: Any
) -> None:
    """If this fails, the messages of gangs that fail fill the server for a day."""
    del stack
    jobs = []

    def leave() -> None:
        with mu.Executor(ON, timeout=60, channel="valkey") as ex:
            jobs.append(ex.job)
            ex.gang(fail, [0, 1])

    with pytest.raises(mu.TaskFailed, match="cannot go on"):
        leave()
    assert [keys_of(server, job) for job in jobs] == [0]


def test_who_directs_sees_for_whom_members_wait(stack: Deployed, server: Any) -> None:
    """If this fails, nobody learns why a gang does not go on, and none of it is hedged."""
    del stack
    with mu.Executor(ON, timeout=60, channel="valkey") as ex:
        found: list[Any] = []
        gang = Thread(target=lambda: found.append(ex.gang(wait_for, [6.0, 6.0])))
        gang.start()
        seen: set[int | None] = set()
        carried = 0
        while gang.is_alive():
            seen |= {view.waits_for for view in ex.tasks()}
            carried |= keys_of(server, ex.job)
            time.sleep(0.2)
        assert found == [["at last", None]]
        assert 1 in seen
        assert carried == 1
        with pytest.raises(mu.TaskFailed, match="Deadlock"):
            ex.gang(turn_in_circles, range(2))


def test_a_member_that_begins_again_finds_its_messages(stack: Deployed) -> None:
    """If this fails, a worker that is lost takes its gang with it."""
    bucket = f"s3://{stack.outputs['OutputBucket']}"
    with mu.Executor(ON, timeout=60, retries=1, channel="valkey") as ex:
        assert ex.gang(lose_a_worker_once, [bucket] * 2) == [[1, 0, 1], [0, 0, 1]]


def test_whoever_signs_in_can_do_nothing_but_this(server: Any) -> None:
    """If this fails, a call can read or remove what is no message, or lock others out."""
    server.exists("{mu/any/gangs/0}")
    for command in (["EXISTS", "other"], ["GET", "{mu/a"], ["FLUSHALL"], ["ACL", "WHOAMI"]):
        with pytest.raises(redis.exceptions.NoPermissionError):
            server.execute_command(*command)
    settings = server.connection_pool.connection_kwargs | {"username": None, "password": None}
    stranger = redis.Redis(connection_pool=redis.ConnectionPool(redis.SSLConnection, **settings))
    with pytest.raises(redis.exceptions.AuthenticationError):
        stranger.exists("{mu/any/gangs/0}")
    stranger.close()
