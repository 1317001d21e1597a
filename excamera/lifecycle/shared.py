"""JSON objects in the store that many functions change at the same time, none without the others.

S3 replaces an object only if it is still the one that was read (`Store.concat` with `replaces`);
a directory cannot, so these objects are for AWS.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar

from mu import NOTHING, NoSuchKey, ObjectChanged, ObjectExists, Store

Result = TypeVar("Result")
Fields = dict[str, Any]

_PAUSE_S = 0.05
_READINGS = 20


def read(key: str, store: Store) -> Fields:
    """An object as it is now; {} if there is none."""
    return _read(key, store)[0]


def change(key: str, store: Store, how: Callable[[Fields], Result]) -> Result:
    """Change an object; returns what `how` returns.

    Args:
        key: of the object.
        store: with the object.
        how: changes the fields in place. If somebody else changes the object meanwhile, it is
            called again with theirs, so it must have no other effect. What it raises leaves the
            object as it is.
    """
    while True:
        found, etag = _read(key, store)
        after = deepcopy(found)
        result = how(after)
        if after == found:
            return result
        try:
            store.concat(key, [json.dumps(after).encode()], replaces=etag)
        except (ObjectExists, NoSuchKey):
            time.sleep(random.uniform(0, _PAUSE_S))
            continue
        return result


def _read(key: str, store: Store) -> tuple[Fields, str]:
    """The fields, and the etag of their object.

    Raises:
        ObjectChanged: it is replaced each time that it is read, or may not be read, which looks the
            same.
    """
    for attempt in itertools.count(1):
        try:
            found = store.look_up(key)
            opened = found.open()
            assert not isinstance(opened, str)  # directories have no etags
            with opened:
                return json.loads(opened.read()), found.etag
        except NoSuchKey:
            break
        except ObjectChanged:
            if attempt == _READINGS:
                raise
    return {}, NOTHING
