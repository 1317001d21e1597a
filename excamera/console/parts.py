"""Films that are uploaded in parts, which S3's own clients send in the same way.

A part goes to its place in the file at once, so an upload takes no more room than the film. What
has come is noted beside it when it is on the disk: an upload goes on after any interruption.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from excamera.api.answers import Part, ReceivedPart, Upload
from excamera.api.refusals import Conflict, Malformed, Unprocessable
from excamera.console.records import Record, Records
from excamera.console.urls import SignedPaths
from mu.whole import whole_file

PART_BYTES = 8 << 20
_MOST_PARTS = 1000
_BLOCK = 1 << 20


class Parts:
    """The uploads of a folder.

    Args:
        records: the folder's jobs.
        paths: signs the addresses of parts.
        part_bytes: bytes of every part but the last of films that are not very large.
    """

    def __init__(self, records: Records, paths: SignedPaths, part_bytes: int = PART_BYTES) -> None:
        self._records = records
        self._paths = paths
        self._part_bytes = part_bytes

    def begin(self, record: Record) -> None:
        """Make room for a film."""
        self._records.parts(record.id).mkdir(exist_ok=True)
        self._records.source(record).touch()

    def describe(self, record: Record) -> Upload:
        """The parts that have come, and the others with their addresses."""
        received = {part.number: part for part in self._received(record)}
        return Upload(
            part_size=self._size_of_parts(record),
            parts=[
                Part(
                    number=number,
                    offset=offset,
                    size=size,
                    url=self._paths.sign("PUT", f"/uploads/{record.id}/{number}"),
                )
                for number, offset, size in self._layout(record)
                if number not in received
            ],
            received=list(received.values()),
            complete_url=self._paths.sign("POST", f"/uploads/{record.id}"),
            expires=self._paths.expires(),
        )

    def take(
        self, record: Record, number: int, length: int, body: BinaryIO, md5: str | None = None
    ) -> str:
        """Store a part; returns its ETag.

        Args:
            record: the job.
            number: of the part, from 1.
            length: bytes that the request says it has.
            body: from which they are read.
            md5: their digest in base 64, if the request has it.

        Raises:
            Conflict: the job does not wait for parts.
            Unprocessable: there is no such part, or it has another length.
            Malformed: the request ended before its end, or has not the bytes of its digest.
        """
        self.check(record)
        layout = {one: (offset, size) for one, offset, size in self._layout(record)}
        if number not in layout:
            raise Unprocessable(f"there is no part {number}: the upload has {len(layout)}")
        offset, size = layout[number]
        if length != size:
            raise Unprocessable(f"part {number} has {size} bytes, not {length}")
        digest = hashlib.md5(usedforsecurity=False)
        with self._records.source(record).open("r+b") as out:
            for block in _blocks(body, size):
                out.seek(offset)
                out.write(block)
                offset += len(block)
                digest.update(block)
            out.flush()
            os.fsync(out.fileno())
        if md5 is not None and base64.b64encode(digest.digest()).decode() != md5:
            raise Malformed(f"part {number} does not have the bytes of its Content-MD5")
        etag = f'"{digest.hexdigest()}"'
        note = ReceivedPart(number=number, size=size, etag=etag)
        with whole_file(self._records.parts(record.id) / f"{number}.json") as part:
            part.write_text(note.model_dump_json())
        return etag

    def complete(self, record: Record, document: bytes) -> None:
        """Check that all parts have come, as S3's CompleteMultipartUpload says.

        Raises:
            Conflict: the job does not wait for parts.
            Malformed: the document is none.
            Unprocessable: parts are missing, or others than those that it names.
        """
        self.check(record)
        named = _named(document)
        came = {part.number: part.etag for part in self._received(record)}
        missing = [number for number, _, _ in self._layout(record) if number not in came]
        if missing:
            raise Unprocessable(f"{len(missing)} parts are missing, the first is {missing[0]}")
        if named != came:
            raise Unprocessable("the parts are not those that have come: GET the job for them")
        shutil.rmtree(self._records.parts(record.id), ignore_errors=True)

    def abort(self, record: Record) -> None:
        """Remove what has come."""
        shutil.rmtree(self._records.parts(record.id), ignore_errors=True)
        self._records.source(record).unlink(missing_ok=True)

    def check(self, record: Record) -> None:
        """Refuse a job that does not wait for its film.

        Raises:
            Conflict: it does not.
        """
        if record.state != "uploading":
            raise Conflict(f"the job {record.id} does not wait for its film: it is {record.state}")

    # ---- inside ----

    def _size_of_parts(self, record: Record) -> int:
        return max(self._part_bytes, -(-record.size // _MOST_PARTS))

    def _layout(self, record: Record) -> Iterator[tuple[int, int, int]]:
        length = self._size_of_parts(record)
        for number, offset in enumerate(range(0, record.size, length), start=1):
            yield number, offset, min(length, record.size - offset)

    def _received(self, record: Record) -> list[ReceivedPart]:
        folder = self._records.parts(record.id)
        found = (_note(path) for path in folder.glob("*.json")) if folder.is_dir() else ()
        return sorted((one for one in found if one), key=lambda one: one.number)


def _note(path: Path) -> ReceivedPart | None:
    try:
        return ReceivedPart.model_validate(json.loads(path.read_text()))
    except (OSError, ValueError):
        return None


def _blocks(body: BinaryIO, size: int) -> Iterator[bytes]:
    left = size
    while left:
        block = body.read(min(_BLOCK, left))
        if not block:
            raise Malformed(f"the part ended {left} bytes before its end")
        yield block
        left -= len(block)


def _named(document: bytes) -> dict[int, str]:
    """The parts of a CompleteMultipartUpload document: ETags by number."""
    malformed = Malformed("the body is not a CompleteMultipartUpload document of S3")
    if re.search(rb"<!(DOCTYPE|ENTITY)", document, re.IGNORECASE):
        raise malformed
    try:
        root = ElementTree.fromstring(document)
        parts = [one for one in root if one.tag.rpartition("}")[2] == "Part"]
        found = [{one.tag.rpartition("}")[2]: one.text or "" for one in part} for part in parts]
        return {int(part["PartNumber"]): f'"{part["ETag"].strip().strip(chr(34))}"'
                for part in found}  # fmt: skip
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise malformed from error


def served(path: Path, first: int, length: int) -> Iterator[bytes]:
    """A part of a file, in blocks."""
    with closing(path.open("rb")) as file:
        file.seek(first)
        while length and (block := file.read(min(_BLOCK, length))):
            yield block
            length -= len(block)
