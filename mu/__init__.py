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
from mu.executor import Executor, Future
from mu.flow import DISCARD, Each, Node, Parallel, Retry, Sequence, Task
from mu.records import Observer, TaskRecord
from mu.store.directory import DirectoryStore
from mu.store.memory import MemoryStore
from mu.store.opening import look_up, open_store
from mu.store.protocol import NOTHING, Range, Source, Store, at_once
from mu.store.url import ObjectUrl, is_object_url, split_name
from mu.task import Context, Event, Json
from mu.timeline import Attempt

__all__ = [
    "DISCARD",
    "NOTHING",
    "Attempt",
    "Context",
    "DirectoryStore",
    "Each",
    "Event",
    "Executor",
    "FlowError",
    "Future",
    "Json",
    "LocalEngine",
    "MemoryStore",
    "MuError",
    "NoSuchKey",
    "Node",
    "ObjectChanged",
    "ObjectExists",
    "ObjectUrl",
    "Observer",
    "Parallel",
    "Range",
    "Retry",
    "Sequence",
    "Source",
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
    "is_object_url",
    "look_up",
    "open_store",
    "split_name",
]
