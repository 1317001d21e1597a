"""mu: describe a computation once as a flow, run it on many workers.

mu knows nothing of video. A flow is plain data made of four words (`task`, `sequence`,
`parallel`, `each`). A task function is called as ``function(event, context)`` with a small
JSON event and returns a small JSON result. Bulk data goes through a `Store`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mu.assembly import Assembly, Gathered
    from mu.commands.command import Command
    from mu.commands.command import Input as input  # noqa: N813
    from mu.commands.command import Output as output  # noqa: N813
    from mu.commands.task import CommandDone
    from mu.engines.coordinator import Run
    from mu.errors import (
        FlowError,
        MuError,
        NoSuchKey,
        NotEnoughConcurrency,
        ObjectChanged,
        ObjectExists,
        PackageError,
        StackError,
        StoreDenied,
        StoreError,
        StoreFull,
        StoreUnavailable,
        TaskFailed,
        TaskTimeout,
        UploadGone,
        WorkerDied,
    )
    from mu.executor import Executor, warm
    from mu.flow import DISCARD, Each, Node, Parallel, Retry, Sequence, Task, each, sequence
    from mu.futures import Future
    from mu.messages.comm import Comm
    from mu.records import Observer, TaskRecord, TaskView
    from mu.store.directory import DirectoryStore
    from mu.store.files import files, open
    from mu.store.memory import MemoryStore
    from mu.store.opening import look_up, open_store
    from mu.store.protocol import NOTHING, Range, Source, Store, at_once
    from mu.store.uploads import begin_upload, upload_at
    from mu.store.url import ObjectUrl, is_object_url, split_name
    from mu.task import Context, Event, Json
    from mu.timeline import Attempt

# Workers and cloud functions begin faster with no more than they use.
_HOMES = {
    "mu.assembly": ("Assembly", "Gathered"),
    "mu.commands.command": ("Command", "Input", "Output"),
    "mu.commands.task": ("CommandDone",),
    "mu.engines.coordinator": ("Run",),
    "mu.errors": (
        "FlowError",
        "MuError",
        "NoSuchKey",
        "NotEnoughConcurrency",
        "ObjectChanged",
        "ObjectExists",
        "PackageError",
        "StackError",
        "StoreDenied",
        "StoreError",
        "StoreFull",
        "StoreUnavailable",
        "TaskFailed",
        "TaskTimeout",
        "UploadGone",
        "WorkerDied",
    ),
    "mu.executor": ("Executor", "warm"),
    "mu.flow": (
        "DISCARD",
        "Each",
        "Node",
        "Parallel",
        "Retry",
        "Sequence",
        "Task",
        "each",
        "sequence",
    ),
    "mu.futures": ("Future",),
    "mu.messages.comm": ("Comm",),
    "mu.records": ("Observer", "TaskRecord", "TaskView"),
    "mu.store.directory": ("DirectoryStore",),
    "mu.store.files": ("files", "open"),
    "mu.store.memory": ("MemoryStore",),
    "mu.store.opening": ("look_up", "open_store"),
    "mu.store.protocol": ("NOTHING", "Range", "Source", "Store", "at_once"),
    "mu.store.uploads": ("begin_upload", "upload_at"),
    "mu.store.url": ("ObjectUrl", "is_object_url", "split_name"),
    "mu.task": ("Context", "Event", "Json"),
    "mu.timeline": ("Attempt",),
}
_LATER = {name: (home, name) for home, names in _HOMES.items() for name in names}
_LATER["input"] = _LATER.pop("Input")
_LATER["output"] = _LATER.pop("Output")


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'mu' has no attribute {name!r}")
    home, attribute = _LATER[name]
    globals()[name] = found = getattr(importlib.import_module(home), attribute)
    return found


__all__ = [
    "DISCARD",
    "NOTHING",
    "Assembly",
    "Attempt",
    "Comm",
    "Command",
    "CommandDone",
    "Context",
    "DirectoryStore",
    "Each",
    "Event",
    "Executor",
    "FlowError",
    "Future",
    "Gathered",
    "Json",
    "MemoryStore",
    "MuError",
    "NoSuchKey",
    "Node",
    "NotEnoughConcurrency",
    "ObjectChanged",
    "ObjectExists",
    "ObjectUrl",
    "Observer",
    "PackageError",
    "Parallel",
    "Range",
    "Retry",
    "Run",
    "Sequence",
    "Source",
    "StackError",
    "Store",
    "StoreDenied",
    "StoreError",
    "StoreFull",
    "StoreUnavailable",
    "Task",
    "TaskFailed",
    "TaskRecord",
    "TaskTimeout",
    "TaskView",
    "UploadGone",
    "WorkerDied",
    "at_once",
    "begin_upload",
    "each",
    "files",
    "input",
    "is_object_url",
    "look_up",
    "open",
    "open_store",
    "output",
    "sequence",
    "split_name",
    "upload_at",
    "warm",
]
