"""mu: describe a computation once as a flow, run it on many workers.

mu knows nothing of video. A flow is plain data made of four words (`task`, `sequence`,
`parallel`, `each`). A task function is called as ``function(event, context)`` with a small
JSON event and returns a small JSON result. Bulk data goes through a `Store`.
"""

from mu.engines.local import LocalEngine
from mu.errors import (
    FlowError,
    MuError,
    NoSuchKey,
    ObjectChanged,
    ObjectExists,
    StoreDenied,
    StoreError,
    StoreUnavailable,
    TaskFailed,
    TaskTimeout,
    WorkerDied,
)
from mu.flow import DISCARD, Each, Node, Parallel, Retry, Sequence, Task
from mu.records import Observer, TaskRecord
from mu.store.directory import DirectoryStore
from mu.store.memory import MemoryStore
from mu.store.opening import open_store
from mu.store.protocol import Range, Store, at_once
from mu.task import Context, Event, Json
from mu.timeline import Attempt

__all__ = [
    "DISCARD",
    "Attempt",
    "Context",
    "DirectoryStore",
    "Each",
    "Event",
    "FlowError",
    "Json",
    "LocalEngine",
    "MemoryStore",
    "MuError",
    "NoSuchKey",
    "Node",
    "ObjectChanged",
    "ObjectExists",
    "Observer",
    "Parallel",
    "Range",
    "Retry",
    "Sequence",
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
    "open_store",
]
