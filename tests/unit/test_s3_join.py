"""How pieces are laid out as the parts of a multipart upload."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mu.store.protocol import Range
from mu.store.s3.join import MAX_PART, MIN_PART, lay_out

MIB = 1 << 20


@st.composite
def any_pieces(draw: st.DrawFn) -> list[bytes | Range]:
    sizes = st.one_of(st.integers(0, 4000), st.integers(0, 30), st.sampled_from([99, 100, 101]))
    pieces: list[bytes | Range] = []
    for number, (literal, size) in enumerate(
        draw(st.lists(st.tuples(st.booleans(), sizes), max_size=40))
    ):
        if literal:
            pieces.append(bytes(size))
        else:
            pieces.append(Range(str(number), number, size))
    return pieces


def spelled_out(pieces: list[bytes | Range]) -> list[tuple[str, int]]:
    """Every byte by where it comes from."""
    out: list[tuple[str, int]] = []
    literals = 0
    for piece in pieces:
        if isinstance(piece, Range):
            assert piece.length is not None
            out += [(piece.key, piece.start + n) for n in range(piece.length)]
        else:
            out += [("literal", literals + n) for n in range(len(piece))]
            literals += len(piece)
    return out


@given(any_pieces())
def test_parts_hold_every_byte_once_and_in_order(pieces: list[bytes | Range]) -> None:
    """If this fails, a stitched file has bytes missing, doubled or out of place."""
    parts = list(lay_out(pieces, min_part=100))
    assert spelled_out([piece for part in parts for piece in part.pieces]) == spelled_out(pieces)


@given(any_pieces())
def test_all_parts_but_the_last_have_the_size_that_s3_asks_for(
    pieces: list[bytes | Range],
) -> None:
    """If this fails, S3 refuses to complete the upload."""
    parts = list(lay_out(pieces, min_part=100))
    assert all(part.size >= 100 for part in parts[:-1])
    assert all(part.size for part in parts)
    assert all(part.size == sum(_size(p) for p in part.pieces) for part in parts)


def _size(piece: bytes | Range) -> int:
    if isinstance(piece, Range):
        assert piece.length is not None
        return piece.length
    return len(piece)


@given(any_pieces())
def test_little_is_read_of_what_s3_can_copy(pieces: list[bytes | Range]) -> None:
    """If this fails, joining large parts costs transfers that grow with the film."""
    parts = list(lay_out(pieces, min_part=100))
    read: dict[str, int] = {}
    for part in parts:
        assert not part.copied or len(part.pieces) == 1
        for piece in part.pieces:
            if isinstance(piece, Range) and not part.copied:
                read[piece.key] = read.get(piece.key, 0) + _size(piece)
    assert all(size < 300 for size in read.values()), read


def test_a_copied_part_is_never_larger_than_s3_allows() -> None:
    """If this fails, a film with a batch of more than 5 GiB cannot be stitched."""
    parts = list(lay_out([b"head", Range("large", 0, 2 * MAX_PART + 3)]))
    assert max(part.size for part in parts) <= MAX_PART
    assert sum(part.size for part in parts) == 4 + 2 * MAX_PART + 3
    assert [part.copied for part in parts] == [False, *[True] * (len(parts) - 1)]
    assert parts[0].size == MIN_PART


def test_small_batches_are_gathered_into_parts() -> None:
    """If this fails, every small batch becomes a part below S3's least size."""
    parts = list(lay_out([Range(str(n), 0, MIB) for n in range(23)]))
    assert [part.size // MIB for part in parts] == [5, 5, 5, 5, 3]
