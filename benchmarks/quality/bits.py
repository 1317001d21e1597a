"""Where the bits of a stream go."""

from __future__ import annotations

from collections.abc import Iterable

import codec

KEY, AHEAD, ORDINARY = ROLES = ("key", "ahead", "ordinary")
"""Key frames, hidden frames, which are coded ahead, and all others."""

DESCRIPTION, RESIDUE = PARTS = ("description", "residue")
"""The first partition with the frame's header (modes, motion, probabilities), and the tokens."""

_KEY_FRAME_START, _INTER_FRAME_START = 10, 3


def bits_by_role(frames: Iterable[bytes]) -> dict[str, dict[str, int]]:
    """Returns the number of frames of each role, and their bytes by part."""
    found = {role: {"frames": 0, **dict.fromkeys(PARTS, 0)} for role in ROLES}
    for frame in frames:
        if not frame:
            continue
        header = codec.read_header(frame)
        role = KEY if header.key_frame else ORDINARY if header.show_frame else AHEAD
        start = _KEY_FRAME_START if header.key_frame else _INTER_FRAME_START
        description = start + header.first_partition_size
        found[role]["frames"] += 1
        found[role][DESCRIPTION] += description
        found[role][RESIDUE] += len(frame) - description
    return found
