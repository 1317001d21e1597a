"""Objects as bytes and back, with large buffers beside the pickle instead of copied into it.

A packed object is a table of lengths, the pickle, then the buffers (arrays, for example). Functions
and classes of scripts and notebooks travel by value, because cloudpickle makes their pickles.
"""

from __future__ import annotations

import itertools
import pickle
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from mu.store.protocol import Buffer

_COUNT = struct.Struct("<I")
_ONE = struct.Struct("<IQ")
_LENGTH_BYTES = 8
_COPIED_BYTES = 64 << 10

_BY_NAME_ONLY_HERE = b"__main__"
"""What a pickle holds that refers to a script's own functions and classes."""


def pack(value: Any) -> list[Buffer]:
    """An object as parts; the bytes of all of them in order are the packed object.

    Parts after the first are the object's own memory: it must not change before they are written.

    Raises:
        Exception: whatever the object raises if it cannot be pickled.
    """
    buffers: list[pickle.PickleBuffer] = []
    body = _pickled(value, buffers)
    if not buffers:
        table = _ONE.pack(1, len(body))
        return [table + body] if len(body) < _COPIED_BYTES else [table, body]
    views = [memoryview(buffer.raw()) for buffer in buffers]
    lengths = [len(body), *(view.nbytes for view in views)]
    table = _COUNT.pack(len(lengths)) + struct.pack(f"<{len(lengths)}Q", *lengths)
    return [table + body, *views]


def _pickled(value: Any, buffers: list[pickle.PickleBuffer]) -> bytes:
    """The pickle by pickle itself, if that is as good as cloudpickle's, which takes longer.

    Whatever pickle can do, both do alike, but for what cloudpickle sends by value although it has
    a name: what `__main__` holds, and modules that the user has told it.
    """
    told = getattr(sys.modules.get("cloudpickle"), "list_registry_pickle_by_value", None)
    if told is None or not told():
        try:
            body = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        except Exception:
            pass
        else:
            if _BY_NAME_ONLY_HERE not in body:
                return body
        buffers.clear()
    import cloudpickle  # Workers that only run a flow's tasks begin faster without it.

    found: bytes = cloudpickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return found


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


def size_of(parts: Sequence[Buffer]) -> int:
    """Bytes of all parts."""
    return sum(memoryview(part).nbytes for part in parts)


def pieces(parts: Sequence[Buffer], most_bytes: int = 8 << 20) -> Iterator[memoryview]:
    """The same bytes in pieces of at most that size, which several threads can send."""
    for part in parts:
        view = memoryview(part).cast("B")
        for start in range(0, view.nbytes, most_bytes):
            yield view[start : start + most_bytes]


def joined(parts: Sequence[Buffer]) -> bytes:
    """All parts in one."""
    return b"".join(parts)
