"""Objects as bytes and back, with large buffers beside the pickle instead of copied into it.

A packed object is a table of lengths, the pickle, then the buffers (arrays, for example).
"""

from __future__ import annotations

import hashlib
import itertools
import pickle
import struct
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from mu.pickling import dump
from mu.store.protocol import Buffer, at_once

_COUNT = struct.Struct("<I")
_ONE = struct.Struct("<IQ")
_LENGTH_BYTES = 8
_COPIED_BYTES = 64 << 10
_MANY_BYTES = 32 << 20


def pack(value: Any, there: Collection[str] | None = None) -> list[Buffer]:
    """An object as parts; the bytes of all of them in order are the packed object.

    Parts after the second are the object's own memory: it must not change before they are written.

    Args:
        value: the object.
        there: packages that the other side has; None if it finds all modules that this process
            finds. See `mu.pickling.dump`.

    Raises:
        Exception: whatever the object raises if it cannot be pickled.
    """
    buffers: list[pickle.PickleBuffer] = []
    body = dump(value, buffers, there)
    if not buffers:
        table = _ONE.pack(1, len(body))
        return [table + body] if len(body) < _COPIED_BYTES else [table, body]
    views = [memoryview(buffer.raw()) for buffer in buffers]
    lengths = [len(body), *(view.nbytes for view in views)]
    table = _COUNT.pack(len(lengths)) + struct.pack(f"<{len(lengths)}Q", *lengths)
    return [table, body, *views]


class _Apart:
    """Bytes that lie beside the pickle, and become bytes again."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __reduce_ex__(self, _protocol: object) -> tuple[type[bytes], tuple[pickle.PickleBuffer]]:
        return bytes, (pickle.PickleBuffer(self._data),)


def apart(value: Any) -> Any:
    """What becomes the value again when it is unpacked; long bytes are not copied into a pickle."""
    return _Apart(value) if type(value) is bytes and len(value) >= _COPIED_BYTES else value


def unpack(packed: Buffer) -> Any:
    """The object that `pack` packed.

    Its buffers lie in `packed`: they can be written to if that can be, and keep it in memory.

    Raises:
        ValueError: the bytes are no packed object.
        Exception: whatever the object raises if it cannot be unpickled.
    """
    view = memoryview(packed).cast("B")
    try:
        (count,) = _COUNT.unpack_from(view)
        lengths = struct.unpack_from(f"<{count}Q", view, _COUNT.size)
    except struct.error as error:
        raise ValueError("no packed object: its table is cut off") from error
    first = _COUNT.size + _LENGTH_BYTES * count
    if count == 1 and first + lengths[0] == view.nbytes:
        return pickle.loads(view[first:])
    ends = list(itertools.accumulate(lengths, initial=first))
    if not lengths or ends[-1] != view.nbytes:
        raise ValueError(f"no packed object: {view.nbytes} bytes instead of {ends[-1]}")
    body, *buffers = (view[start:end] for start, end in itertools.pairwise(ends))
    return pickle.loads(body, buffers=buffers)


def travels_by_value(packed: Buffer) -> bool:
    """Whether a packed object holds the bytecode of functions, which one Python version knows."""
    return b"cloudpickle" in bytes(packed)


def size_of(parts: Sequence[Buffer]) -> int:
    """Bytes of all parts."""
    return sum(memoryview(part).nbytes for part in parts)


def pieces(parts: Sequence[Buffer], most_bytes: int = 8 << 20) -> Iterator[memoryview]:
    """The same bytes in pieces of at most that size, which several threads can send."""
    for part in parts:
        view = memoryview(part).cast("B")
        for start in range(0, view.nbytes, most_bytes):
            yield view[start : start + most_bytes]


def digest_of(parts: Sequence[Buffer]) -> str:
    """A digest of all parts: SHA-256 of the digests of their pieces, of many on several threads."""

    def digest(piece: memoryview) -> bytes:
        return hashlib.sha256(piece).digest()

    several = size_of(parts) >= _MANY_BYTES
    digests = at_once(digest, pieces(parts)) if several else map(digest, pieces(parts))
    return hashlib.sha256(b"".join(digests)).hexdigest()


def joined(parts: Sequence[Buffer]) -> bytes:
    """All parts in one."""
    return b"".join(parts)
