"""Gangs whose workers, copies and servers fail at bad moments, over every channel."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis

from mu import Comm, Executor, NotEnoughConcurrency
from mu.errors import ChannelClosed, ChannelRefused
from mu.messages.opening import STORE, begin_channel
from mu.store.directory import DirectoryStore
from tests.support.processes import wait_until
from tests.support.redis import RedisServer, a_redis


def die_in(seconds: float, mark: Path) -> None:
    """Kill this process so much later, unless an attempt before it was killed."""
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()


@pytest.mark.slow
def test_a_member_killed_while_it_sends(tmp_path: Path, kind: str) -> None:
    """If this fails, a half-sent message is received, or stops the attempt that follows."""

    def member(comm: Comm, mark: Path) -> str:
        digest = hashlib.sha256()
        if comm.rank == 0:
            die_in(0.15, mark)
            for number in range(120):
                comm.send(np.full(1 + 997 * (number % 90), number), dest=1, tag=number % 3)
            time.sleep(0 if mark.with_name("again").exists() else 30)  # until it is killed
        else:
            for number in range(120):
                array = comm.recv(source=0, tag=number % 3, timeout=60)
                if number == 0:
                    wait_until(mark.exists)
                    mark.with_name("again").touch()
                assert array.shape == (1 + 997 * (number % 90),)
                digest.update(array.tobytes())
        return digest.hexdigest()

    expected = hashlib.sha256()
    for number in range(120):
        expected.update(np.full(1 + 997 * (number % 90), number).tobytes())
    with Executor(workers=2, retries=1, channel=kind) as executor:
        _, found = executor.gang(member, [tmp_path / "mark"] * 2)
    assert found == expected.hexdigest()


@pytest.mark.slow
def test_a_member_killed_while_it_receives(tmp_path: Path, kind: str) -> None:
    """If this fails, a message that was waited for is lost with who waited."""

    def member(comm: Comm, mark: Path) -> Any:
        if comm.rank == 0:
            comm.send("first", dest=1)
            while not mark.with_name("waits again").exists():
                time.sleep(0.01)
            return comm.send("second", dest=1)
        first = comm.recv(source=0)
        if mark.exists():
            mark.with_name("waits again").touch()
        die_in(0.3, mark)
        return [first, comm.recv(source=0, timeout=60)]

    with Executor(workers=2, retries=1, channel=kind) as executor:
        assert executor.gang(member, [tmp_path / "mark"] * 2) == [None, ["first", "second"]]


@pytest.mark.slow
def test_a_member_killed_in_a_barrier(tmp_path: Path, kind: str) -> None:
    """If this fails, a barrier opens too early, or never, after a member was lost in it."""

    def member(comm: Comm, mark: Path) -> bool:
        comm.barrier()
        if comm.rank == 1:
            die_in(0.2, mark)
        if comm.rank == 2:
            time.sleep(1)
        mark.with_name(f"arrived {comm.rank}").touch()
        comm.barrier(timeout=60)
        return all(mark.with_name(f"arrived {rank}").exists() for rank in range(comm.size))

    with Executor(workers=3, retries=1, channel=kind) as executor:
        assert executor.gang(member, [tmp_path / "mark"] * 3) == [True] * 3
    assert (tmp_path / "mark").exists()


def held_bytes(what: str) -> int:
    """Memory of this process: VmRSS for what it holds now, VmHWM for the most so far."""
    return int(Path("/proc/self/status").read_text().partition(f"{what}:")[2].split()[0]) << 10


@pytest.mark.parametrize("channel", ["sockets", "store"])
def test_a_large_message_takes_its_size_in_memory_once(channel: str) -> None:
    """If this fails, a member needs the memory of a large message twice, or gets it wrong."""
    mib = 256

    def member(comm: Comm, mib: int) -> int:
        comm.barrier()
        # Of what it holds: it may once have held more, which the message then fills first.
        before = held_bytes("VmRSS")
        if comm.rank == 0:
            array = np.arange(mib << 17, dtype=np.uint64)
            comm.send(array, dest=1)
        else:
            array = comm.recv(source=0, timeout=120)
            assert np.array_equal(array[:: 1 << 10], np.arange(0, mib << 17, 1 << 10))
            array += 1
        assert int(array[-1]) == (mib << 17) - 1 + comm.rank
        return (held_bytes("VmHWM") - before) >> 20

    with Executor(workers=2, channel=channel) as executor:
        sender, receiver = executor.gang(member, [mib] * 2)
    # Half of it shows that the measure sees the message: what was held before may shrink meanwhile,
    # as the system takes back pages of files.
    assert mib // 2 < sender < mib + 48
    assert mib // 2 < receiver < mib + 48


def test_ten_workers_do_not_begin_a_gang_of_eleven(tmp_path: Path, kind: str) -> None:
    """If this fails, ten members wait for one that can never start."""
    with (
        Executor(workers=10, channel=kind) as executor,
        pytest.raises(NotEnoughConcurrency, match="a gang of 11 cannot run at once on 10 workers"),
    ):
        executor.gang(lambda comm, _: (tmp_path / str(comm.rank)).touch(), range(11))
    assert not list(tmp_path.iterdir())


def wait_for_another(comm: Comm, folder: Path) -> Any:
    """Rank 0 computes until it is ended; the others wait for it."""
    comm.barrier()
    (folder / f"here {comm.rank}").touch()
    if comm.rank == 0:
        time.sleep(600)
    return comm.recv(source=0)


@pytest.mark.slow
@pytest.mark.parametrize("restarted", [False, True])
def test_a_server_that_is_killed_ends_the_gang_by_name(tmp_path: Path, restarted: bool) -> None:
    """If this fails, a gang hangs when its server is gone, or has lost what it held."""
    with a_redis(tmp_path / "redis") as server:
        url = f"{server.url}?patience_s=2"

        def kill() -> None:
            wait_until(lambda: len(list(tmp_path.glob("here *"))) == 3)
            server.stop()
            if restarted:
                server.start()

        killer = threading.Thread(target=kill)
        with Executor(workers=3, retries=3, channel=url) as executor:
            killer.start()
            begun = time.monotonic()
            with pytest.raises(ChannelClosed) as closed:
                executor.gang(wait_for_another, [tmp_path] * 3)
            killer.join()
            # Nobody has waited for the member that computes.
            assert time.monotonic() - begun < 300
            assert executor.submit(pow, 2, 3).result() == 8
    why = "was restarted without its data" if restarted else "does not answer"
    assert f"127.0.0.1:{server.port}" in str(closed.value)
    assert why in str(closed.value)


def test_a_gang_leaves_nothing_behind(server: RedisServer) -> None:
    """If this fails, a server fills up with messages that nobody needs."""
    with redis.Redis.from_url(server.admin) as admin:
        before = set(admin.keys())
        with Executor(workers=2, channel=server.url) as executor:
            for _ in range(2):
                executor.gang(lambda comm, x: comm.alltoall([x] * 2), range(2))
                assert len(set(admin.keys()) - before) == 1  # the job's mark
        assert set(admin.keys()) == before


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda server: server.url.replace("p%2540ss", "wrong"), ChannelRefused),
        (lambda server: server.url.replace("/0", "/zero"), ChannelRefused),
        (lambda server: server.url.replace("redis://", "amqp://"), ChannelRefused),
        (lambda _: "redis://u:secret/x@127.0.0.1:1/0", ChannelRefused),
        (lambda _: "redis://u:secret@127.0.0.1:1/0?no_such_setting=1", ChannelRefused),
        (lambda _: "redis://u:secret@127.0.0.1:1/0", ChannelClosed),
        (lambda _: "pigeons", ChannelRefused),
    ],
)
def test_a_channel_that_cannot_be_opened_is_told_at_once(
    server: RedisServer, wrong: Callable[[RedisServer], str], error: type[Exception]
) -> None:
    """If this fails, a mistyped URL hangs an executor, or its password ends up in a log."""
    begun = time.monotonic()
    with pytest.raises(error) as told:
        Executor(workers=1, channel=wrong(server))
    assert time.monotonic() - begun < 10
    for secret in ("p%2540ss", "p%40ss", "secret"):
        assert secret not in str(told.value)


def test_a_channel_in_the_store_of_the_executor(tmp_path: Path) -> None:
    """If this fails, gangs need a server even where everything else does with a store."""
    store = DirectoryStore(tmp_path)
    url, channel = begin_channel(STORE, store, "mu/1")
    channel.put("gangs/0/a", b"1")
    (key,) = store.list()
    assert url == STORE
    assert key.startswith("mu/1/messages/")
    channel.forget("gangs")
    assert store.list() == []
