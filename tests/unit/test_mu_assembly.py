"""Objects that many workers write together: what they do without S3, and against its rules."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from mu import (
    NOTHING,
    Assembly,
    DirectoryStore,
    MemoryStore,
    ObjectExists,
    Range,
    Store,
    UploadGone,
)
from mu import assembly as module
from mu.errors import NoSuchKey, StoreError
from mu.store.parts import MAX_PART, MAX_PARTS, MIN_PART
from mu.store.protocol import Buffer

KIB, MIB = 1 << 10, 1 << 20
FRONT, END = b"front" * 50, b"end" * 30


def key_of(run: int) -> str:
    return f"runs/{run:06d}"


class Notes(MemoryStore):
    """A store that lists a folder without looking at all others, as S3 does."""

    def __init__(self) -> None:
        super().__init__()
        self._folders: defaultdict[str, list[str]] = defaultdict(list)

    def put(self, key: str, data: Buffer) -> None:
        if not self.exists(key):
            self._folders[key.rpartition("/")[0]].append(key)
        super().put(key, data)

    def list(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> list[str]:
        return sorted(self._folders[prefix.rstrip("/")])


class FakeUpload:
    """An upload that refuses what S3 refuses; parts are kept as lists of what they hold.

    Attributes:
        sent: how often each number was sent.
        read: bytes that went through a worker.
    """

    def __init__(self) -> None:
        self.parts: dict[int, list[tuple[str, int, int]]] = {}
        self.sent: Counter[int] = Counter()
        self.read = 0
        self.result: list[tuple[str, int, int]] | None = None
        self.gone = False

    def send(self, number: int, pieces: Sequence[Buffer | Range]) -> None:
        if self.gone:
            raise UploadGone("gone")
        assert 1 <= number <= MAX_PARTS
        held = [spanned(one) for one in pieces]
        size = sum(length for _, _, length in held)
        assert size <= MAX_PART
        if len(pieces) > 1 or size < MIN_PART or not isinstance(pieces[0], Range):
            self.read += size
        # Whoever sends a part of that number again sends the same.
        assert self.parts.get(number, held) == held
        self.parts[number] = held
        self.sent[number] += 1

    def complete(self, parts: Sequence[tuple[int, int]], replaces: str | None = None) -> None:
        if self.gone:
            raise UploadGone("gone")
        numbers = [number for number, _ in parts]
        assert numbers == sorted(set(numbers))
        for number, size in parts:
            assert size == sum(length for _, _, length in self.parts[number])
        assert all(size >= MIN_PART for _, size in parts[:-1])
        self.result = [one for number in numbers for one in self.parts[number]]
        self.gone = True

    def abort(self) -> None:
        self.gone = True


def spanned(piece: Buffer | Range) -> tuple[str, int, int]:
    if isinstance(piece, Range):
        assert piece.length
        return (piece.key, piece.start, piece.length)
    return (bytes(piece).hex(), 0, len(piece))


def joined(spans: Iterable[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """The spans, with those that continue each other as one."""
    found: list[tuple[str, int, int]] = []
    for key, start, length in spans:
        if not length:
            continue
        if found and found[-1][0] == key and found[-1][1] + found[-1][2] == start:
            key, start, before = found.pop()
            length += before
        found.append((key, start, length))
    return found


def laid_out(
    sizes: Sequence[int], order: Iterable[int], *, front: bytes = FRONT, end: bytes = END
) -> FakeUpload:
    """Adds runs in an order, by a worker each, and finishes; checks the order of all bytes."""
    store, upload = Notes(), FakeUpload()
    for run in order:
        Assembly(store, "a", len(sizes), key_of, upload).add(run, sizes[run], [run])
    before = upload.read
    last = Assembly(store, "a", len(sizes), key_of, upload)
    whole = last.whole()
    assert whole.notes == [[run] for run in range(len(sizes))]
    size = last.finish(whole, front, end, store, "result")
    assert size == len(front) + sum(sizes) + len(end)
    assert upload.result is not None
    expected = [spanned(front), *((key_of(run), 0, one) for run, one in enumerate(sizes))]
    assert joined(upload.result) == joined([*expected, spanned(end)])
    upload.read -= before  # what is left is what `finish` read
    return upload


KINDS: dict[str, Callable[[random.Random], int]] = {
    "small": lambda rng: rng.randrange(1, 48 * KIB),
    "middling": lambda rng: rng.randrange(MIB, 12 * MIB),
    "large": lambda rng: rng.randrange(20 * MIB, 60 * MIB),
    "mixed": lambda rng: rng.choice([0, 48 * KIB, MIB, MIN_PART - 1, MIN_PART, 2 * MIN_PART,
                                     60 * MIB]),
    "nearly": lambda rng: rng.choice([MIN_PART - 1, MIN_PART, 1]),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_runs_of_any_size_become_one_object(kind: str, seed: int) -> None:
    """If this fails, a result loses bytes or has them twice, or S3 refuses its parts."""
    rng = random.Random(f"{kind}{seed}")
    count = rng.choice([1, 2, 7, 8, 9, 63, 64, 65, 200, 600])
    sizes = [KINDS[kind](rng) for _ in range(count)]
    order = list(range(count))
    rng.shuffle(order)
    for front, end in ((FRONT, END), (b"", b""), (FRONT, b"")):
        laid_out(sizes, order, front=front, end=end)


@pytest.mark.parametrize("seed", range(4))
def test_runs_may_be_added_again(seed: int) -> None:
    """If this fails, a retry or a worker thought dead spoils a part that another one has sent.

    The fake fails on a part that is sent with other bytes.
    """
    rng = random.Random(seed)
    sizes = [KINDS["mixed"](rng) for _ in range(150)]
    order = [run for run in range(150) for _ in range(3)]
    rng.shuffle(order)
    upload = laid_out(sizes, order)
    assert max(upload.sent.values()) > 1


def test_a_job_that_begins_again_adds_its_runs_for_little() -> None:
    """If this fails, every worker of such a job puts the whole tree together once more."""
    store, upload = Notes(), FakeUpload()
    for _ in range(2):
        for run in range(600):
            Assembly(store, "a", 600, key_of, upload).add(run, MIB)
    assert set(upload.sent.values()) == {1}
    # The ends of nodes are read again on each level.
    assert 597 * MIB <= upload.read < 2 * 600 * MIB


def test_another_upload_gets_all_parts() -> None:
    """If this fails, a job that is redriven completes an upload without its first parts."""
    store, sizes = Notes(), [6 * MIB, *[MIB] * 70]
    for prefix in ("first", "second"):
        upload = FakeUpload()
        for run, size in enumerate(sizes):
            Assembly(store, prefix, len(sizes), key_of, upload).add(run, size)
        last = Assembly(store, prefix, len(sizes), key_of, upload)
        last.finish(last.whole(), FRONT, END, store, "result")
        assert upload.result is not None


def test_all_orders_give_the_same_parts() -> None:
    """If this fails, what a part holds depends on who came last, and late workers spoil it."""
    rng = random.Random(1)
    sizes = [KINDS["mixed"](rng) for _ in range(100)]
    order = list(range(100))
    first = laid_out(sizes, order).parts
    for _ in range(5):
        rng.shuffle(order)
        assert laid_out(sizes, order).parts == first


def test_a_late_duplicate_changes_nothing() -> None:
    """If this fails, a worker that ends after the result is complete fails or changes it."""
    store, upload = Notes(), FakeUpload()
    sizes = [MIB] * 20
    assembly = Assembly(store, "a", 20, key_of, upload)
    for run, size in enumerate(sizes):
        assembly.add(run, size)
    noted = assembly.whole()
    Assembly(store, "a", 20, key_of, upload).finish(noted, FRONT, END, store, "result")
    Assembly(store, "a", 20, key_of, upload).add(3, MIB)
    assert assembly.whole() == noted


@pytest.mark.parametrize("kind", ["small", "middling", "large"])
def test_what_the_last_step_reads_does_not_grow(kind: str) -> None:
    """If this fails, the bytes of a long film go through one function again."""
    rng = random.Random(kind)
    read = {}
    for count in (100, 1000, 4000):
        sizes = [KINDS[kind](rng) for _ in range(count)]
        read[count] = laid_out(sizes, range(count)).read
    assert max(read.values()) <= 4 * MIN_PART, read


@pytest.mark.slow
@pytest.mark.parametrize("size", [48 * KIB, 6 * MIB, 60 * MIB])
def test_more_runs_than_numbers_of_parts(size: int) -> None:
    """If this fails, a film of very many batches cannot be put together."""
    upload = laid_out([size] * 20_000, range(20_000))
    assert len(upload.parts) <= MAX_PARTS


@pytest.mark.parametrize("count", [1, 2, 8, 9, 64, 65, 1000, 12_000])
def test_every_node_is_ended_by_one_run(count: int) -> None:
    """If this fails, estimates count requests for other nodes than the tree has."""
    ended = sum(module.nodes_ended(run, count) for run in range(count))
    assert ended == module.nodes(count)


def test_numbers_suffice_for_every_count() -> None:
    """If this fails, parts of a count of runs have numbers that S3 does not take."""
    for count in (1, 4_000, 4_993, 4_994, 5_000, 9_999, 12_000, 20_000, 100_000):
        runs = module.runs_of_leaf(count)
        highest = module._first_number(runs) + 2 * ((count - 1) // runs) + 1
        assert highest < MAX_PARTS
        if runs > 1:
            fewer = module._first_number(runs - 1) + 2 * ((count - 1) // (runs - 1)) + 1
            assert fewer >= MAX_PARTS


@pytest.mark.parametrize("kind", ["memory", "directory"])
def test_stores_without_uploads_join_the_runs(kind: str, tmp_path: Path) -> None:
    """If this fails, a job on one machine does not have the bytes of one in the cloud."""
    store: Store = MemoryStore() if kind == "memory" else DirectoryStore(tmp_path)
    rng = random.Random(kind)
    runs = [rng.randbytes(rng.randrange(3) * 1000) for _ in range(70)]
    for run in rng.sample(range(70), 70):
        store.put(key_of(run), runs[run])
        Assembly(store, "a", 70, key_of).add(run, len(runs[run]), run)
    assembly = Assembly(store, "a", 70, key_of)
    assert assembly.finish(assembly.whole(), FRONT, END, store, "out") == store.size("out")
    assert store.get("out") == b"".join([FRONT, *runs, END])


def test_a_missing_run_is_noticed() -> None:
    """If this fails, a result is made without one of its batches."""
    store = MemoryStore()
    assembly = Assembly(store, "a", 9, key_of)
    for run in range(9):
        if run != 4:
            assembly.add(run, 10)
    with pytest.raises(NoSuchKey):
        assembly.whole()


def test_an_aborted_upload_is_not_needed() -> None:
    """If this fails, a job that is redriven after its upload was aborted can never finish."""
    store, upload = MemoryStore(), FakeUpload()
    runs = [bytes([run]) * 1000 for run in range(20)]
    for run, data in enumerate(runs):
        if run == 12:
            upload.abort()
        store.put(key_of(run), data)
        Assembly(store, "a", 20, key_of, upload).add(run, len(data))
    assembly = Assembly(store, "a", 20, key_of, upload)
    assembly.finish(assembly.whole(), FRONT, END, store, "out")
    assert store.get("out") == b"".join([FRONT, *runs, END])


def test_conditions_hold_if_the_runs_are_joined() -> None:
    """If this fails, a job without its upload replaces a result that is not its own."""
    store = MemoryStore()
    store.put("out", b"other")
    store.put(key_of(0), b"run")
    assembly = Assembly(store, "a", 1, key_of)
    assembly.add(0, 3)
    with pytest.raises(ObjectExists):
        assembly.finish(assembly.whole(), FRONT, END, store, "out", replaces=NOTHING)
    assert store.get("out") == b"other"


def test_a_run_larger_than_a_part_is_refused() -> None:
    """If this fails, S3 refuses the run instead, after it was copied for minutes."""
    with pytest.raises(StoreError, match="a run may have"):
        Assembly(MemoryStore(), "a", 2, key_of).add(0, MAX_PART + 1)
