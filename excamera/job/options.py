"""Everything that decides what the encoded bytes are, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from excamera.errors import OptionError

CRF_MAX = 63
DEADLINES = ("good", "best", "realtime")

QI_OF_CRF: tuple[int, ...] = (
    *(0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 15, 17, 18, 19),
    *(20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 33, 35, 37, 39, 41),
    *(43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 64, 67, 70, 73, 76, 79),
    *(82, 85, 88, 91, 94, 97, 100, 103, 106, 109, 112, 115, 118, 121, 124, 127),
)
"""libvpx's 0..63 scale (here `crf`) to VP8's `y_ac_qi` 0..127."""


@dataclass(frozen=True, slots=True)
class VpxSettings:
    """How libvpx encodes a chunk; one quantiser for all its inter frames.

    Attributes:
        deadline: libvpx's effort: "good", "best" or "realtime".
        cpu_used: speed within the deadline, -16..16; 0 is the most careful. The sign means
            nothing in realtime, where 0 is as 1: speeds that follow the clock are not used.
        key_frame_q_offset: added to `crf` for the chunk's key frame, at most 0: the key
            frame may be better than the rest, never worse. docs/offsets.md has the figures.
        tune: what libvpx's mode decision counts as distortion: "psnr" or "ssim".
        lag_in_frames: frames libvpx may look ahead.
        auto_alt_ref: 1 lets libvpx code invisible altref frames (needs lag).
    """

    deadline: str = "good"
    cpu_used: int = 0
    key_frame_q_offset: int = -8
    tune: str = "psnr"
    lag_in_frames: int = 0
    auto_alt_ref: int = 0


@dataclass(frozen=True, slots=True)
class RebaseSettings:
    """How a batch is joined.

    Attributes:
        first_frame_qi_offset: added to the chunk's `y_ac_qi` for the re-encoded first
            frame of chunks 2..x. docs/offsets.md has the figures.
    """

    first_frame_qi_offset: int = -4


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """The options of one encode; equal options and source give equal bytes.

    Attributes:
        chunk_frames: N, frames of a chunk, 1..1000.
        batch_chunks: x, chunks of a batch, 1..1000; 1 means no rebase at all.
        crf: quality on libvpx's scale, 0 (best) .. 63.
        vpx: chunk encoder.
        rebase: joining of chunks.
    """

    chunk_frames: int = 6
    batch_chunks: int = 16
    crf: int = 24
    vpx: VpxSettings = field(default_factory=VpxSettings)
    rebase: RebaseSettings = field(default_factory=RebaseSettings)

    def __post_init__(self) -> None:
        """Refuse what is out of range.

        Raises:
            OptionError: an option is out of range; the message names it.
        """
        _in_range("chunk-frames", self.chunk_frames, 1, 1000)
        _in_range("batch-chunks", self.batch_chunks, 1, 1000)
        _in_range("crf", self.crf, 0, CRF_MAX)
        _in_range("cpu-used", self.vpx.cpu_used, -16, 16)
        _in_range("key-frame-q-offset", self.vpx.key_frame_q_offset, -CRF_MAX, 0)
        _in_range("first-frame-qi-offset", self.rebase.first_frame_qi_offset, -127, 127)
        if self.vpx.deadline not in DEADLINES:
            raise OptionError(
                f"deadline must be one of {', '.join(DEADLINES)}, not {self.vpx.deadline!r}"
            )

    def with_texts(self, given: Mapping[str, str]) -> EncodeOptions:
        """These options with some replaced, by the command line's names and as text.

        Raises:
            OptionError: a name is unknown, a value malformed or out of range.
        """
        changed: dict[str, Any] = {}
        vpx: dict[str, Any] = {}
        for name, text in given.items():
            if name not in _TEXT_OPTIONS:
                known = ", ".join(_TEXT_OPTIONS)
                raise OptionError(f"there is no option {name!r}; there are {known}")
            kind, group = _TEXT_OPTIONS[name]
            try:
                value = kind(text.strip())
            except ValueError:
                raise OptionError(f"{name} must be a whole number, not {text!r}") from None
            (vpx if group == "vpx" else changed)[name.replace("-", "_")] = value
        return replace(self, vpx=replace(self.vpx, **vpx), **changed)

    @property
    def first_frame_qi(self) -> int:
        """`y_ac_qi` for the re-encoded first frames."""
        return min(127, max(0, QI_OF_CRF[self.crf] + self.rebase.first_frame_qi_offset))

    def to_json(self) -> dict[str, Any]:
        """The options as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> EncodeOptions:
        """The options that `to_json` gave.

        Raises:
            OptionError: a name is unknown or a value is out of range.
        """
        try:
            rest = {k: v for k, v in data.items() if k not in ("vpx", "rebase")}
            return cls(
                vpx=VpxSettings(**data.get("vpx", {})),
                rebase=RebaseSettings(**data.get("rebase", {})),
                **rest,
            )
        except TypeError as error:
            raise OptionError(str(error)) from error


_TEXT_OPTIONS: dict[str, tuple[type[int] | type[str], str]] = {
    "crf": (int, ""),
    "chunk-frames": (int, ""),
    "batch-chunks": (int, ""),
    "deadline": (str, "vpx"),
    "cpu-used": (int, "vpx"),
}


def _in_range(name: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise OptionError(f"{name} must be {lowest} to {highest}, not {value}")
