"""What a member of a gang talks to the others with: mpi4py's lower-case methods.

Every message has an address: the gang, the sender, the receiver, a tag, and how many messages with
the same four came before it. It is written once under that address. So a member that is started
again, or a second copy of one, sends the same messages again without harm, and receives again what
the first received, provided that the task is deterministic.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Protocol

from mu.errors import (
    Deadlock,
    NondeterministicTask,
    NotEnoughConcurrency,
    PeerFailed,
    ReceiveTimeout,
)
from mu.messages.channel import SMALL_BYTES, Channel, ending
from mu.packing import digest_of, joined, pack, pieces, size_of, unpack
from mu.store.protocol import REQUESTS_AT_ONCE, Buffer, Store, at_once

_FIRST_LOOK_S = 0.25
"""After so long a wait, a receiver looks whether its peer can still send."""

_LONGEST_LOOK_S = 2.0

_LONG_WAIT_S = 1.0
"""Receivers that wait longer publish for whom, and look for a circle."""

_EVERYBODY = "all"

DONE = b"done"
"""How a member ended that did not fail, or a roll call for which all were there."""

_GIVEN_UP = b"given up"
"""How a roll call ended for which some were not there."""


class Readable(Protocol):
    """The part of a channel that tells what has been written."""

    def get(self, key: str) -> bytes | None:
        """See `Channel.get`."""


def published_wait(channel: Readable, gang: str, rank: int) -> tuple[int, str] | None:
    """For whom a member has waited for a while, and the address of what is due, if it has."""
    published = channel.get(_waits(gang, rank))
    if not published:
        return None
    source, address = json.loads(published)
    return source, address


def _waits(gang: str, rank: int) -> str:
    return f"{gang}/waits-{rank}"


class _Deadline:
    """When a call that waits gives up."""

    def __init__(self, seconds: float | None) -> None:
        self.given_s = float("inf") if seconds is None else seconds
        self._until = time.monotonic() + self.given_s

    def left_s(self) -> float:
        """Seconds until then, at least 0."""
        return max(0.0, self._until - time.monotonic())


class Comm:
    """A member's view of its gang.

    Attributes:
        rank: this member's number, from 0.
        size: how many members there are.
    """

    def __init__(self, channel: Channel, store: Store, gang: str, rank: int, size: int) -> None:
        """Joins a gang.

        Args:
            channel: carries the messages.
            store: holds what is too large for the channel.
            gang: its name, which no other gang that uses the channel or the store has.
            rank: see above.
            size: see above.
        """
        self.rank = rank
        self.size = size
        self._channel = channel
        self._store = store
        self._payloads = f"{gang}/payloads"
        self._gang = gang
        self._sent: Counter[tuple[Any, ...]] = Counter()
        self._received: Counter[tuple[Any, ...]] = Counter()

    def __repr__(self) -> str:
        return f"Comm(rank {self.rank} of {self.size})"

    def roll_call(self, timeout: float) -> None:
        """Return once all members have begun; a member that is started again finds that they have.

        Either all go on or none does: what was decided first, all are told.

        Raises:
            NotEnoughConcurrency: some have not begun in time, so no member goes on.
            PeerFailed: another has failed for a reason of its own.
        """
        decision = f"{self._gang}/roll-call"
        try:
            self._meet("roll-call", 0, _Deadline(timeout))
            begin = True
        except ReceiveTimeout:
            begin = False
        except PeerFailed:
            if self._channel.get(decision) != _GIVEN_UP:
                raise
            begin = False
        # Who comes late finds all messages of those that have given up.
        try:
            self._channel.put(decision, DONE if begin else _GIVEN_UP)
        except NondeterministicTask:
            begin = not begin
        if not begin:
            raise NotEnoughConcurrency(
                f"not all {self.size} members of the gang could begin in {timeout:g} s: the "
                "account had no room for them"
            )

    # ---- one to one ----

    def send(self, obj: Any, dest: int, tag: int = 0) -> None:
        """Send an object; does not wait until it is received.

        Raises:
            NondeterministicTask: an earlier attempt of this task sent something else here.
        """
        self._check_rank(dest)
        number = self._next(self._sent, dest, tag)
        self._put(self._address(self.rank, dest, tag, number), pack(obj))

    def recv(self, source: int, tag: int = 0, timeout: float | None = None) -> Any:
        """Receive the next object with this tag from a member.

        Args:
            source: its rank.
            tag: as it was sent.
            timeout: seconds to wait; None for as long as it takes.

        Raises:
            ReceiveTimeout: nothing came.
            PeerFailed: the member has ended without sending it.
            Deadlock: members wait for each other in a circle.
        """
        self._check_rank(source)
        number = self._next(self._received, source, tag)
        try:
            address = self._address(source, self.rank, tag, number)
            return self._get(address, source, _Deadline(timeout))
        except ReceiveTimeout:
            self._received[source, tag] -= 1  # so that another receive asks for the same
            raise

    def sendrecv(
        self, obj: Any, dest: int, sendtag: int = 0, *, source: int, recvtag: int = 0,
        timeout: float | None = None,
    ) -> Any:  # fmt: skip
        """Send an object to one member and receive one from another."""
        self.send(obj, dest, sendtag)
        return self.recv(source, recvtag, timeout)

    # ---- all together: every member calls the same of these in the same order ----

    def barrier(self, timeout: float | None = None) -> None:
        """Return once all members have called this."""
        self._meet("barrier", self._next(self._sent, "barrier"), _Deadline(timeout))

    def _meet(self, name: str, number: int, deadline: _Deadline) -> None:
        """Return once all members have called this (a dissemination barrier)."""
        distance = 1
        while distance < self.size:
            tag = f"{name}-{distance}"
            dest, source = (self.rank + distance) % self.size, (self.rank - distance) % self.size
            self._put(self._address(self.rank, dest, tag, number), pack(None))
            self._get(self._address(source, self.rank, tag, number), source, deadline)
            distance *= 2

    def bcast(self, obj: Any, root: int = 0, timeout: float | None = None) -> Any:
        """Return the object that `root` gives, to all."""
        self._check_rank(root)
        address = self._address(root, _EVERYBODY, "bcast", self._next(self._sent, "bcast"))
        if self.rank == root:
            self._put(address, pack(obj))
            return obj
        return self._get(address, root, _Deadline(timeout))

    def allgather(self, obj: Any, timeout: float | None = None) -> list[Any]:
        """Return what every member gives, in the order of ranks."""
        number = self._next(self._sent, "allgather")
        deadline = _Deadline(timeout)
        self._put(self._address(self.rank, _EVERYBODY, "allgather", number), pack(obj))
        return self._get_all(_EVERYBODY, "allgather", number, deadline)

    def gather(self, obj: Any, root: int = 0, timeout: float | None = None) -> list[Any] | None:
        """Return to `root` what every member gives, in the order of ranks; to others None."""
        self._check_rank(root)
        number = self._next(self._sent, "gather", root)
        deadline = _Deadline(timeout)
        self._put(self._address(self.rank, root, "gather", number), pack(obj))
        if self.rank != root:
            return None
        return self._get_all(root, "gather", number, deadline)

    def scatter(
        self, objs: Sequence[Any] | None, root: int = 0, timeout: float | None = None
    ) -> Any:
        """Return to every member its own of the objects that `root` gives."""
        self._check_rank(root)
        number = self._next(self._sent, "scatter", root)
        address = self._address(root, _EVERYBODY, "scatter", number)
        if self.rank == root:
            self._put_pieces(address, self._one_each(objs))
        return self._piece(self._wait(address, root, _Deadline(timeout)))

    def alltoall(self, objs: Sequence[Any], timeout: float | None = None) -> list[Any]:
        """Give every member one object, and return what each gave to this one.

        A member writes all that it gives as one object; each other reads its part of it.
        """
        number = self._next(self._sent, "alltoall")
        deadline = _Deadline(timeout)
        address = self._address(self.rank, _EVERYBODY, "alltoall", number)
        self._put_pieces(address, self._one_each(objs))
        messages = self._wait_for_all(_EVERYBODY, "alltoall", number, deadline)
        return self._opened(self._piece, messages)

    def allreduce(
        self, obj: Any, op: Callable[[Any, Any], Any], timeout: float | None = None
    ) -> Any:
        """Return what `op` makes of what all give, two by two, always in the order of ranks."""
        first, *others = self.allgather(obj, timeout)
        for other in others:
            first = op(first, other)
        return first

    # ---- addresses ----

    def _check_rank(self, rank: int) -> None:
        if not 0 <= rank < self.size:
            raise ValueError(f"there is no rank {rank} in a gang of {self.size}")

    def _one_each(self, objs: Sequence[Any] | None) -> Sequence[Any]:
        if objs is None or len(objs) != self.size:
            given = "none" if objs is None else len(objs)
            raise ValueError(f"one object for each of {self.size} members is needed, not {given}")
        return objs

    @staticmethod
    def _next(counter: Counter[tuple[Any, ...]], *key: Any) -> int:
        number = counter[key]
        counter[key] += 1
        return number

    def _address(self, source: int, dest: int | str, tag: int | str, number: int) -> str:
        return f"{self._gang}/{source}-{dest}-{tag}-{number}"

    # ---- bytes: small ones in the channel, others in the store ----

    def _put(self, address: str, parts: Sequence[Buffer]) -> None:
        size = size_of(parts)
        if size <= SMALL_BYTES:
            self._channel.put(address, b"." + joined(parts))
        else:
            self._channel.put(address, f">{size} {self._store_payload(parts)}".encode())

    def _get(self, address: str, source: int, deadline: _Deadline) -> Any:
        return self._object(self._wait(address, source, deadline))

    def _get_all(self, dest: int | str, tag: str, number: int, deadline: _Deadline) -> list[Any]:
        """What every member has put, in the order of ranks."""
        return self._opened(self._object, self._wait_for_all(dest, tag, number, deadline))

    def _object(self, message: bytes) -> Any:
        if message[:1] == b".":
            return unpack(bytearray(message[1:]))
        size, _, key = message[1:].decode().partition(" ")
        return unpack(self._store.get_writable(key, 0, int(size)))

    def _put_pieces(self, address: str, objs: Sequence[Any]) -> None:
        """Write an object for each member, as one."""
        packed = [pack(obj) for obj in objs]
        lengths = json.dumps([size_of(parts) for parts in packed], separators=(",", ":")).encode()
        everything: list[Buffer] = [part for parts in packed for part in parts]
        if len(lengths) + size_of(everything) <= SMALL_BYTES:
            self._channel.put(address, b"." + lengths + b"\n" + joined(everything))
        else:
            key = self._store_payload(everything)
            self._channel.put(address, b">" + lengths + b"\n" + key.encode())

    def _piece(self, message: bytes) -> Any:
        """This member's part of what `_put_pieces` wrote."""
        table, _, rest = message[1:].partition(b"\n")
        lengths = json.loads(table)
        start, length = sum(lengths[: self.rank]), lengths[self.rank]
        if message[:1] == b".":
            return unpack(bytearray(rest[start : start + length]))
        return unpack(self._store.get_writable(rest.decode(), start, length))

    @staticmethod
    def _opened(opened: Callable[[bytes], Any], messages: Sequence[bytes]) -> list[Any]:
        """What messages hold; what is in the store is fetched at the same time."""
        in_store = [message for message in messages if message[:1] == b">"]
        fetched = iter(at_once(opened, in_store) if len(in_store) > 1 else map(opened, in_store))
        return [next(fetched) if one[:1] == b">" else opened(one) for one in messages]

    def _store_payload(self, parts: Sequence[Buffer]) -> str:
        """Store bytes under their digest, and return the key."""
        # The digest comes first in what tells keys of a gang apart, so S3 can spread them.
        key = f"{self._payloads}/{digest_of(parts)}"
        if not self._store.exists(key):
            self._store.concat(key, pieces(parts))
        return key

    # ---- waiting ----

    def _wait_for_all(
        self, dest: int | str, tag: str, number: int, deadline: _Deadline
    ) -> list[bytes]:
        """The message of every member, in the order of ranks; errors are those of `_wait`.

        Most are there when the last member asks, and none when the first does. So it asks for one
        after it had to wait, and for twice as many together if all of the last were there. It asks
        in vain no more often than with success, and once more for each wait.
        """
        addresses = [self._address(peer, dest, tag, number) for peer in range(self.size)]
        found: dict[int, bytes] = {}
        missing = deque(range(self.size))
        together = 1
        while missing:
            asked = [missing.popleft() for _ in range(min(together, len(missing)))]
            answers = self._channel.get_all([addresses[peer] for peer in asked])
            told = zip(asked, answers, strict=True)
            found |= {peer: message for peer, message in told if message is not None}
            absent = [peer for peer in asked if peer not in found]
            together = min(2 * together, REQUESTS_AT_ONCE)
            if absent:
                first, *others = absent
                found[first] = self._wait(addresses[first], first, deadline)
                missing.extendleft(reversed(others))
                together = 1
        return [found[peer] for peer in range(self.size)]

    def _wait(self, address: str, source: int, deadline: _Deadline) -> bytes:
        begun = time.monotonic()
        look_s = _FIRST_LOOK_S
        published = False
        try:
            while True:
                left_s = deadline.left_s()
                message = self._channel.wait(address, min(look_s, left_s))
                if message is None:
                    message = self._after_the_end(address, source)
                if message is not None:
                    return message
                if left_s <= look_s:
                    raise ReceiveTimeout(
                        f"rank {self.rank} got nothing from rank {source} in {deadline.given_s:g} s"
                    )
                if time.monotonic() - begun >= _LONG_WAIT_S:
                    if not published:
                        self._publish(json.dumps([source, address]).encode())
                        published = True
                    self._look_for_a_circle()
                look_s = min(_LONGEST_LOOK_S, look_s * 2)
        finally:
            if published:
                self._publish(b"")

    def _after_the_end(self, address: str, source: int) -> bytes | None:
        """The message of a member that has ended; None if it has not."""
        end = self._channel.get(ending(self._gang, source))
        if end is None:
            return None
        message = self._channel.get(address)
        if message is None:
            why = "returned" if end == DONE else f"failed: {end.decode()}"
            raise PeerFailed(source, f"rank {source}, from which a message is due, has {why}")
        return message

    def _publish(self, what: bytes) -> None:
        self._channel.note(_waits(self._gang, self.rank), what)

    def _look_for_a_circle(self) -> None:
        circle = self._circle()
        # A second look: what was published may have been of a wait that had just ended.
        if circle and circle == self._circle():
            self._deadlock([rank for rank, _ in circle])

    def _circle(self) -> list[tuple[int, str]]:
        """Ranks that wait for each other, from this one, with the addresses of what is due."""
        waiting: list[tuple[int, str]] = []
        rank = self.rank
        while True:
            published = published_wait(self._channel, self._gang, rank)
            if published is None:
                return []
            source, address = published
            if self._channel.get(address) is not None:
                return []
            waiting.append((rank, address))
            rank = source
            if rank == self.rank:
                return waiting
            if any(rank == seen for seen, _ in waiting):
                return []  # a circle of others, who find it themselves

    def _deadlock(self, ranks: Sequence[int]) -> NoReturn:
        chain = ", ".join(f"rank {rank}" for rank in ranks)
        raise Deadlock(f"{chain}: each waits for the next, and the last for the first")
