"""One object that many workers write together, each a numbered run of its bytes.

The runs lie in a store, made in any order, each perhaps stored more than once with equal bytes.
Who has stored one adds it. If the target has uploads in parts (`mu.store.parts`), a run that is
large enough becomes a part at once, which S3 copies by itself. Neighbours put smaller ones
together: the runs are the leaves of a fixed tree, and who finds all children of a node there makes
parts of what they have left. A node leaves nothing, or less than the smallest part, which its
parent puts together with what follows. So whoever finishes the object sends its front and its end
with a few small runs, however many runs there are.

What a part holds follows from its number and the sizes of the runs. So it does no harm if two
workers find a node complete, or if one that was thought dead adds its run again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from mu.errors import StoreError, UploadGone
from mu.store.parts import MAX_PART, MAX_PARTS, MIN_PART, Upload
from mu.store.protocol import Buffer, Range, Store, at_once

CHILDREN = 8
"""The most children of a node, and runs whose rest a worker reads beside its own."""

MOST_READ = 64
"""Of so many nodes `so_far` reads the totals."""

Span = tuple[int, int, int]
"""Bytes of a run: its number, the first byte, how many."""


@dataclass(slots=True)
class Gathered:
    """What is known of a run, or of all runs below a node of the tree.

    Attributes:
        notes: what was added with each run.
        sizes: of each run, in bytes.
        parts: number and size of each part, in order.
        first: what the first part holds.
        left: what lies behind the last part and is in none; less than the smallest part.
        totals: sums of what was counted with each run, by name.
    """

    notes: list[Any] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    parts: list[tuple[int, int]] = field(default_factory=list)
    first: list[Span] = field(default_factory=list)
    left: list[Span] = field(default_factory=list)
    totals: dict[str, float] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """What `to_json` returned."""
        found = json.loads(data)
        spans = {name: [tuple(one) for one in found[name]] for name in ("parts", "first", "left")}
        return cls(found["notes"], found["sizes"], **spans, totals=found["totals"])

    def to_json(self) -> bytes:
        """This as it is stored."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()


class Assembly:
    """The runs of one object, and the upload that they are sent to."""

    def __init__(
        self,
        store: Store,
        prefix: str,
        count: int,
        key_of: Callable[[int], str],
        upload: Upload | None = None,
    ) -> None:
        """Opens an assembly; every worker opens its own.

        Args:
            store: with the runs, and what is noted of them.
            prefix: common beginning of the keys of these notes, without a slash at its end. It must
                be another one for other bytes, and for another upload.
            count: how many runs there are, at least 1.
            key_of: the key of the run of a number.
            upload: of the object; None if its store has none, so that `finish` joins the runs.
        """
        self._store = store
        self._prefix = prefix
        self._key_of = key_of
        self._upload = upload
        self._runs_of_leaf = runs_of_leaf(count)
        self._first = _first_number(self._runs_of_leaf)
        self._counts, self._children = _tree(count, self._runs_of_leaf)

    def add(
        self, run: int, size: int, note: Any = None, totals: Mapping[str, float] | None = None
    ) -> None:
        """Add a run that is stored, and put together what is now complete.

        Args:
            run: its number, from 0.
            size: bytes.
            note: JSON that `whole` returns; the same whenever the run is added again.
            totals: counts, of which `so_far` returns the sums; likewise.

        Raises:
            StoreError: it is larger than a part can be.
        """
        if size > MAX_PART:
            raise StoreError(f"{self._key_of(run)} has {size} bytes: a run may have {MAX_PART}")
        node = Gathered([note], [size], totals=dict(totals or {}))
        if size:
            node.left = [(run, 0, size)]
        if self._runs_of_leaf == 1 and self._upload is not None and size >= MIN_PART:
            self._make(node, node.left)
            node.left = []
        self._store.put(self._key(0, run), node.to_json())
        for level, children in enumerate(self._children):
            run //= children
            if not self._is_complete(level, run):
                return

    def _is_complete(self, level: int, parent: int) -> bool:
        """Whether all children of a node are noted; if so, it is put together, unless it is."""
        below = self._below(level, parent)
        if not below <= set(self._store.list(self._folder(level, parent))):
            return False
        key = self._key(level + 1, parent)
        # If a job begins again, finished runs are added again, each by a worker.
        if not self._store.exists(key):
            node = self._put_together(level, at_once(self._noted, sorted(below)))
            self._store.put(key, node.to_json())
        return True

    def whole(self) -> Gathered:
        """What is known of all runs.

        Raises:
            NoSuchKey: some are missing.
        """
        return self._noted(self._key(len(self._children), 0))

    def so_far(self) -> tuple[int, dict[str, float]]:
        """How many runs were added, and the totals of these.

        It costs a few requests, however many runs there are. So of very many nodes that wait for
        others only some are read, and the rest are taken to be like these.
        """
        top = len(self._children)
        found = [(top, 0)] if self._store.exists(self._key(top, 0)) else []
        missing = [] if found else [0]
        for level in reversed(range(top)):
            there = self._there(level, missing)
            found += [(level, number) for number in sorted(there)]
            missing = [
                child
                for parent in missing
                for child in self._numbers(level, parent)
                if child not in there
            ]
        runs = [self._runs_below(level, number) for level, number in found]
        # The largest come first.
        read = at_once(lambda one: self._noted(self._key(*one)).totals, found[:MOST_READ])
        share = sum(runs) / max(1, sum(runs[:MOST_READ]))
        totals: dict[str, float] = {}
        for one in read:
            for name, value in one.items():
                totals[name] = totals.get(name, 0) + share * value
        return sum(runs), totals

    def _there(self, level: int, parents: Sequence[int]) -> set[int]:
        """The nodes of a level that are noted, of those below some nodes."""
        folders = {self._folder(level, parent) for parent in parents}
        # A page of a list has the children of a hundred neighbours.
        groups = sorted({parent // 100 for parent in parents})
        listed = at_once(
            lambda group: self._store.list(f"{self._prefix}/{level}/{group:04d}"), groups
        )
        return {
            int(key.rpartition("/")[2].removesuffix(".json"))
            for keys in listed
            for key in keys
            if f"{key.rpartition('/')[0]}/" in folders
        }

    def _numbers(self, level: int, parent: int) -> range:
        """The numbers of the children of a node, which are on that level."""
        first = parent * self._children[level]
        return range(first, min(self._counts[level], first + self._children[level]))

    def _runs_below(self, level: int, number: int) -> int:
        """How many runs a node has."""
        first, end = number, number + 1
        for children in reversed(self._children[:level]):
            first, end = first * children, end * children
        return min(end, self._counts[0]) - first

    def finish(
        self,
        whole: Gathered,
        front: bytes,
        end: bytes,
        target: Store,
        key: str,
        *,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
        replaces: str | None = None,
    ) -> int:
        """Make the object, and return its size in bytes.

        If the upload is gone, the object is joined of its runs, which takes longer. An upload
        serves for one call: S3 wants a new one if somebody else stored the object meanwhile.

        Args:
            whole: what `whole` returned.
            front: the bytes before the first run.
            end: the bytes behind the last.
            target: the object's store.
            key: of the object.
            content_type: see `Store.concat`; as it was given to `begin_upload`.
            metadata: likewise.
            replaces: see `Store.concat`.

        Raises:
            NoSuchKey: the object that may be replaced is missing, or a run.
            ObjectExists: `replaces` does not hold.
        """
        upload, self._upload = self._upload, None
        if upload is not None:
            try:
                upload.complete(self._last_parts(upload, whole, front, end), replaces)
            except UploadGone:
                pass
            else:
                return len(front) + sum(whole.sizes) + len(end)
        runs = self._ranges([(run, 0, size) for run, size in enumerate(whole.sizes) if size])
        pieces = [front, *runs, *([end] if end else [])]
        return target.concat(
            key, pieces, content_type=content_type, metadata=metadata, replaces=replaces
        )

    def _folder(self, level: int, parent: int) -> str:
        return f"{self._prefix}/{level}/{parent:06d}/"

    def _key(self, level: int, number: int) -> str:
        if level == len(self._children):
            return f"{self._prefix}/whole.json"
        return f"{self._folder(level, number // self._children[level])}{number:06d}.json"

    def _below(self, level: int, parent: int) -> set[str]:
        """The keys of the children of a node, which are on that level."""
        return {self._key(level, child) for child in self._numbers(level, parent)}

    def _noted(self, key: str) -> Gathered:
        return Gathered.from_json(self._store.get(key))

    def _put_together(self, level: int, children: Sequence[Gathered]) -> Gathered:
        """What is known of a node, after what its children left is in parts."""
        node = Gathered()
        for child in children:
            node.notes += child.notes
            node.sizes += child.sizes
            for name, value in child.totals.items():
                node.totals[name] = node.totals.get(name, 0) + value
            if self._upload is None:
                node.left += child.left
            elif child.parts:
                self._absorb(node, child)
                node.left = child.left
            else:
                node.left += child.left
                # A leaf has numbers for one part only.
                if _size(node.left) >= MIN_PART and not self._is_leaf(level):
                    self._make(node, node.left)
                    node.left = []
        if self._upload is not None and _size(node.left) >= MIN_PART:
            self._make(node, node.left)
            node.left = []
        return node

    def _is_leaf(self, level: int) -> bool:
        return level == 0 and self._runs_of_leaf > 1

    def _absorb(self, node: Gathered, child: Gathered) -> None:
        """Take a child's parts over; its first one takes what the node has left before it."""
        parts = child.parts
        if node.left:
            first, missing = child.first, MIN_PART - _size(node.left)
            if len(first) == 1 and parts[0][1] - missing >= MIN_PART:
                run, start, size = first[0]
                self._make(node, [*node.left, (run, start, missing)])
                self._make(node, [(run, start + missing, size - missing)], is_rest=True)
            else:
                self._make(node, [*node.left, *first])
            parts = parts[1:]
        elif not node.parts:
            node.first = child.first
        node.parts += parts

    def _make(self, node: Gathered, spans: Sequence[Span], *, is_rest: bool = False) -> None:
        """Send the next part of a node; `is_rest` if another one has the beginning of the run.

        Parts begin in different leaves, except for the rest of a run that is cut, which happens
        once. If a part is put together with what lies before it, the new one begins in a leaf that
        began none. So a number never stands for two parts.
        """
        number = self._first + 2 * (spans[0][0] // self._runs_of_leaf) + is_rest
        if self._upload is not None:
            # If the upload is gone, nobody needs its parts.
            with contextlib.suppress(UploadGone):
                self._upload.send(number, self._ranges(spans))
        if not node.parts:
            node.first = list(spans)
        node.parts.append((number, _size(spans)))

    def _ranges(self, spans: Sequence[Span]) -> list[Buffer | Range]:
        return [Range(self._key_of(run), start, size, self._store) for run, start, size in spans]

    def _last_parts(
        self, upload: Upload, whole: Gathered, front: bytes, end: bytes
    ) -> list[tuple[int, int]]:
        """Send what only now can be sent; returns number and size of all parts."""
        if not whole.parts:
            upload.send(1, [front, *self._ranges(whole.left), end])
            return [(1, len(front) + _size(whole.left) + len(end))]
        parts = list(whole.parts)
        if front:
            # The first part is sent again, with the front before it.
            begin, rest = _cut(whole.first, max(0, MIN_PART - len(front)))
            groups = _groups(rest)
            if not groups:
                begin = whole.first
            upload.send(1, [front, *self._ranges(begin)])
            for number, group in enumerate(groups, start=2):
                upload.send(number, self._ranges(group))
            again = [len(front) + _size(begin), *map(_size, groups)]
            parts[:1] = enumerate(again, start=1)
        if whole.left or end:
            upload.send(MAX_PARTS, [*self._ranges(whole.left), end])
            parts.append((MAX_PARTS, _size(whole.left) + len(end)))
        return parts


def nodes(count: int) -> int:
    """How many nodes the tree over so many runs has."""
    return sum(_tree(count, runs_of_leaf(count))[0][1:])


def nodes_ended(run: int, count: int) -> int:
    """How many nodes of the tree are complete with a run if those before it are all there."""
    ended = 0
    counts, children = _tree(count, runs_of_leaf(count))
    for size, of_node in zip(counts, children, strict=False):
        if run % of_node < of_node - 1 and run < size - 1:
            break
        ended += 1
        run //= of_node
    return ended


def _tree(count: int, leaf: int) -> tuple[list[int], list[int]]:
    """The nodes on each level, from the runs to the whole; and how many of one a node above has."""
    counts = [count]
    children: list[int] = []
    while counts[-1] > 1:
        children.append(leaf if leaf > 1 and not children else CHILDREN)
        counts.append(-(-counts[-1] // children[-1]))
    return counts, children


def runs_of_leaf(count: int) -> int:
    """How many neighbouring runs share the number of a part, so that numbers suffice for all."""
    runs = 1
    while -(-count // runs) > (MAX_PARTS - _first_number(runs)) // 2:
        runs += 1
    return runs


def _first_number(runs: int) -> int:
    """The number of the first part of the runs; `finish` has those before it.

    The first part may have to be cut into its runs, and what was put together of small ones into
    pieces of the smallest part's size: fewer than the tree has levels, and half of these.
    """
    return 2 + runs + CHILDREN


def _size(spans: Sequence[Span]) -> int:
    return sum(size for _, _, size in spans)


def _cut(spans: Sequence[Span], at: int) -> tuple[list[Span], list[Span]]:
    """The spans up to that byte, and those from there."""
    before: list[Span] = []
    after: list[Span] = []
    for run, start, size in spans:
        taken = min(size, at - _size(before))
        if taken:
            before.append((run, start, taken))
        if taken < size:
            after.append((run, start + taken, size - taken))
    return before, after


def _groups(spans: Sequence[Span]) -> list[list[Span]]:
    """Neighbours, grouped so that every group is large enough for a part; none if that is not."""
    groups: list[list[Span]] = []
    for span in spans:
        if not groups or _size(groups[-1]) >= MIN_PART:
            groups.append([])
        groups[-1].append(span)
    if groups and _size(groups[-1]) < MIN_PART:
        short = groups.pop()
        if not groups:
            return []
        groups[-1] += short
    return groups
