"""Pickles, and what travels by value in them rather than as the name of a module and a name in it.

Functions and classes of scripts and notebooks always do. Those of a project's modules do if the
other side lacks the modules: a cloud function has what was deployed, not the folder of the caller.
"""

from __future__ import annotations

import contextlib
import functools
import io
import pickle
import sys
import threading
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import PurePath
from typing import Any, TypeVar

Buffers = list[pickle.PickleBuffer]

_DEFINED = (types.FunctionType, type, types.ModuleType, TypeVar)

_BY_NAME_ONLY_HERE = b"__main__"
"""What a pickle holds that refers to a script's own functions and classes."""

_INSTALLED = {"site-packages", "dist-packages"}

_registering = threading.Lock()


def dump(value: Any, buffers: Buffers, there: Collection[str] | None = None) -> bytes:
    """The pickle of an object.

    Args:
        value: the object.
        buffers: is given large buffers, which are not copied into the pickle.
        there: packages that the other side has besides Python's own, mu, and those that are
            installed here. None if it finds all modules that this process finds.

    Raises:
        Exception: whatever the object raises if it cannot be pickled.
    """
    if there is None:
        plain = _plain(value, buffers)
        if plain is not None:
            return plain
        buffers.clear()
    out = io.BytesIO()
    _pickler()(out, buffers, there).dump(value)
    return out.getvalue()


def _plain(value: Any, buffers: Buffers) -> bytes | None:
    """The pickle by pickle itself, which is fast; None if cloudpickle's would be another.

    Whatever pickle can do, both do alike, but for what cloudpickle sends by value although it has
    a name: what `__main__` holds, and modules that the user has told it.
    """
    told = getattr(sys.modules.get("cloudpickle"), "list_registry_pickle_by_value", None)
    if told is not None and told():
        return None
    try:
        body = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    except Exception:
        return None
    return None if _BY_NAME_ONLY_HERE in body else body


@functools.cache
def _pickler() -> Callable[..., Any]:
    """The class of picklers."""
    import cloudpickle  # Workers that only run a flow's tasks begin faster without it.

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def __init__(
            self, out: io.BytesIO, buffers: Buffers, there: Collection[str] | None
        ) -> None:
            super().__init__(out, protocol=5, buffer_callback=buffers.append)
            self._there = there

        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, functools._lru_cache_wrapper) and self._goes(obj.__module__):
                # Pickle knows it by its name only.
                return _cached, (obj.cache_parameters(), obj.__wrapped__)
            if self._there is None or not isinstance(obj, _DEFINED):
                return super().reducer_override(obj)
            name = obj.__name__ if isinstance(obj, types.ModuleType) else obj.__module__
            if name == "__main__" or not self._goes(name):
                return super().reducer_override(obj)
            with _by_value(cloudpickle, sys.modules[name]):
                reduce = self.dispatch_table.get(type(obj), super().reducer_override)
                return reduce(obj)

        def _goes(self, module: str) -> bool:
            """Whether what a module defines travels by value."""
            if module == "__main__":
                return True
            there = self._there
            return (
                there is not None
                and module.partition(".")[0] not in there
                and _is_of_a_project(module)
            )

    return Pickler


@functools.cache
def _is_of_a_project(module: str) -> bool:
    """Whether a module, by its name, is neither Python's own, nor mu's, nor installed."""
    if module.partition(".")[0] in {*sys.stdlib_module_names, "mu"}:
        return False
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return file.endswith(".py") and not _INSTALLED & set(PurePath(file).parts)


@contextlib.contextmanager
def _by_value(cloudpickle: Any, module: types.ModuleType) -> Iterator[None]:
    """Let cloudpickle take what the module defines by value, for as long as it decides."""
    with _registering:
        if module.__name__ in cloudpickle.list_registry_pickle_by_value():
            yield
            return
        cloudpickle.register_pickle_by_value(module)
        try:
            yield
        finally:
            cloudpickle.unregister_pickle_by_value(module)


def _cached(parameters: Mapping[str, Any], function: Callable[..., Any]) -> Callable[..., Any]:
    cached: Callable[..., Any] = functools.lru_cache(**parameters)(function)
    return cached
