"""Jobs whose source is being uploaded: an object for each, until the upload is complete."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from excamera.job.objects import Keys
from functions.api.uploads import Multipart
from mu import NoSuchKey, Store


@dataclass(frozen=True, slots=True)
class Awaited:
    """A job whose source is being uploaded, as stored until the upload is complete.

    Attributes:
        job: its name.
        created: time of the request, ISO 8601.
        event: the event that will start it, without the version of its source.
        upload: the upload of its source.
    """

    job: str
    created: str
    event: dict[str, Any]
    upload: Multipart

    def to_json(self) -> bytes:
        """As stored."""
        body = {"job": self.job, "created": self.created, "event": self.event,
                "upload": self.upload.to_json()}  # fmt: skip
        return json.dumps(body).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Awaited:
        """The inverse of `to_json`."""
        body = json.loads(data)
        return cls(body["job"], body["created"], body["event"], Multipart(**body["upload"]))


def find_awaited(job: str, store: Store) -> Awaited | None:
    """A job that waits for its upload, or None."""
    try:
        return Awaited.from_json(store.get(Keys(job).upload))
    except NoSuchKey:
        return None
