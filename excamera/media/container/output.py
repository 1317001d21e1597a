"""The containers of results by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from excamera.errors import UnknownOutputFormat
from excamera.job.codecs import FRAGMENTS, MANIFESTS, check_pair, container_of_rungs
from excamera.media.codecs import OUTPUT_CODECS
from excamera.media.container import fragments, webm
from excamera.media.container.fragments import Fragments
from excamera.media.container.ivf_output import Ivf
from excamera.media.container.mp4_output import Mp4
from excamera.media.container.protocol import OutputContainer
from excamera.media.container.webm_output import Matroska, WebM

OUTPUT_CONTAINERS: Mapping[str, Callable[..., OutputContainer]] = {
    one().name: one for one in (WebM, Matroska, Mp4, Ivf)
}
"""Makes the container of a name for a codec."""

ENDINGS = " or ".join(f".{name}" for name in OUTPUT_CONTAINERS)
"""The endings of their files, for messages."""


def output_container(name: str, codec: str) -> OutputContainer:
    """The container of that name, for a codec.

    Args:
        name: of the container; for a manifest, that of the files which it lists is returned.
        codec: a name in `excamera.job.codecs.CODECS`.

    Raises:
        UnknownOutputFormat: there is none, or it does not hold the codec.
    """
    if name in MANIFESTS:
        check_pair(name, codec)
        name = container_of_rungs(name, codec)
    if name == FRAGMENTS:
        return Fragments(OUTPUT_CODECS[codec])
    if name not in OUTPUT_CONTAINERS:
        raise UnknownOutputFormat(f"the output must end in {ENDINGS}, not .{name}")
    check_pair(name, codec)
    return OUTPUT_CONTAINERS[name](OUTPUT_CODECS[codec])


def index_of(container: str, front: bytes) -> tuple[int, int]:
    """Where the index of segments begins in the front of a ladder's file, and its size.

    Args:
        container: the name of the file's.
        front: as its `wrap` returned it.
    """
    return fragments.index_of(front) if container == FRAGMENTS else webm.cues_of(front)
