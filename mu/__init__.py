"""mu: describe a computation once as a flow, run it on many workers.

mu knows nothing of video. A flow is plain data made of four words (`task`, `sequence`,
`parallel`, `each`). A task function is called as ``function(event, context)`` with a small
JSON event and returns a small JSON result. Bulk data goes through a `Store`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mu.errors import (
    FlowError,
    MuError,
    NoSuchKey,
    NotEnoughConcurrency,
    ObjectChanged,
    ObjectExists,
    StackError,
    StoreDenied,
    StoreError,
    StoreUnavailable,
    TaskFailed,
    TaskTimeout,
    WorkerDied,
)
from mu.flow import DISCARD, Each, Node, Parallel, Retry, Sequence, Task, each, sequence
from mu.records import Observer, TaskRecord
from mu.store.directory import DirectoryStore
from mu.store.memory import MemoryStore
from mu.store.opening import look_up, open_store
from mu.store.protocol import NOTHING, Range, Source, Store, at_once
from mu.store.url import ObjectUrl, is_object_url, split_name
from mu.task import Context, Event, Json
from mu.timeline import Attempt

if TYPE_CHECKING:
    from mu.commands.command import Command
    from mu.commands.command import Input as input  # noqa: N813
    from mu.commands.command import Output as output  # noqa: N813
    from mu.commands.task import CommandDone
    from mu.engines.coordinator import Run
    from mu.executor import Executor
    from mu.futures import Future
    from mu.messages.comm import Comm
    from mu.store.files import files, open

# Cloud functions that run a flow's tasks begin faster without these.
_LATER = {
    "Comm": "mu.messages.comm:Comm",
    "Command": "mu.commands.command:Command",
    "CommandDone": "mu.commands.task:CommandDone",
    "Executor": "mu.executor:Executor",
    "Future": "mu.futures:Future",
    "Run": "mu.engines.coordinator:Run",
    "files": "mu.store.files:files",
    "input": "mu.commands.command:Input",
    "open": "mu.store.files:open",
    "output": "mu.commands.command:Output",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'mu' has no attribute {name!r}")
    module, _, attribute = _LATER[name].partition(":")
    globals()[name] = found = getattr(importlib.import_module(module), attribute)
    return found


__all__ = [
    "DISCARD",
    "NOTHING",
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
    "StoreUnavailable",
    "Task",
    "TaskFailed",
    "TaskRecord",
    "TaskTimeout",
    "WorkerDied",
    "at_once",
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
]
