"""Reading videos: finding the frames of a source, and reading exactly the planned ones."""

from excamera.media.source.index import Entry, Index, index_packets
from excamera.media.source.media import Opened, open_container, open_media
from excamera.media.source.picture import Planes, to_i420
from excamera.media.source.reader import FrameReader, read_all

__all__ = [
    "Entry",
    "FrameReader",
    "Index",
    "Opened",
    "Planes",
    "index_packets",
    "open_container",
    "open_media",
    "read_all",
    "to_i420",
]
