"""The options of an encode: everything that decides what the encoded bytes are.

Each option is one field of the dataclasses below. The field's rule states its range, its help
text, and whether users may set it. `OPTIONS` collects the rules into the one table from which the
rest is made: the options of the command line, the metadata of uploads, the model of the API, the
check of the stack's defaults, and the tables in `docs/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field, asdict, dataclass, field, fields, replace
from typing import Any, cast

from excamera.errors import OptionError

CRF_MAX = 63
DEADLINES = ("good", "best", "realtime")
MODES = ("auto", "anchors", "rebase")
_QI_MAX = 127
_LAG_MAX = 25  # libvpx's MAX_LAG_BUFFERS
_MOST_CHUNKS = 1000  # of a batch
_USUAL_FRAMES, _SHORTEST_FRAMES = 12, 6  # of a chunk, if N is chosen

QI_OF_CRF: tuple[int, ...] = (
    *(0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 15, 17, 18, 19),
    *(20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 33, 35, 37, 39, 41),
    *(43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 64, 67, 70, 73, 76, 79),
    *(82, 85, 88, 91, 94, 97, 100, 103, 106, 109, 112, 115, 118, 121, 124, 127),
)
"""libvpx's 0..63 scale (here `crf`) to VP8's `y_ac_qi` 0..127."""

SECTIONS = (QUALITY, STRUCTURE, SOURCE) = ("Quality", "Structure", "Source")
"""Under which titles `--help` and docs/cli.md show the options, in this order."""

SWITCH = {"true": True, "false": False}
"""How users write a switch."""
_SWITCH_TEXT = " or ".join(SWITCH)

Value = bool | int | str


@dataclass(frozen=True, slots=True)
class Rule:
    """The allowed values of an option, and its purpose.

    Attributes:
        help: one sentence for users about what the option decides.
        lowest: the smallest value of a number.
        highest: the largest value of a number.
        choices: the values of a text.
        switch: whether it is on or off.
        flag: the short form on the command line, such as "-n".
        offered: whether users set it by the command line, metadata and the API; if not, only
            the stack's `options` setting and Python can.
        section: under which title `--help` shows it.
    """

    help: str
    lowest: int = 0
    highest: int = 0
    choices: tuple[str, ...] = ()
    switch: bool = False
    flag: str = ""
    offered: bool = False
    section: str = QUALITY

    @property
    def allowed(self) -> str:
        """The allowed values as text."""
        if self.switch:
            return ", ".join(SWITCH)
        return ", ".join(self.choices) if self.choices else f"{self.lowest} to {self.highest}"

    def check(self, name: str, value: object) -> None:
        """Refuse a value that the rule does not allow.

        Raises:
            OptionError: the message names the option and says what is allowed.
        """
        if self.choices:
            if value not in self.choices:
                raise OptionError(f"{name} must be one of {self.allowed}, not {value!r}")
        elif self.switch:
            if type(value) is not bool:
                raise OptionError(f"{name} must be {_SWITCH_TEXT}, not {value!r}")
        elif type(value) is not int:
            raise OptionError(f"{name} must be a whole number, not {value!r}")
        elif not self.lowest <= value <= self.highest:
            raise OptionError(f"{name} must be {self.allowed}, not {value}")


@dataclass(frozen=True, slots=True)
class Option:
    """A row of the table.

    Attributes:
        name: as the command line and the metadata of uploads write it.
        field: as Python and the API's JSON write it.
        group: the field of `EncodeOptions` that holds it, "" for `EncodeOptions` itself.
        default: the value if nobody sets one.
        rule: its allowed values and purpose.
    """

    name: str
    field: str
    group: str
    default: Value
    rule: Rule

    def parse(self, text: str) -> Value:
        """A value that a user wrote as text.

        Raises:
            OptionError: it is not a whole number where one is needed, or neither on nor off.
        """
        if self.rule.choices:
            return text.strip()
        if self.rule.switch:
            if text.strip().lower() not in SWITCH:
                raise OptionError(f"{self.name} must be {_SWITCH_TEXT}, not {text!r}")
            return SWITCH[text.strip().lower()]
        try:
            return int(text)
        except ValueError:
            raise OptionError(f"{self.name} must be a whole number, not {text!r}") from None


def _number(default: int, lowest: int, highest: int, text: str, **more: Any) -> Any:
    return field(default=default, metadata={"rule": Rule(text, lowest, highest, **more)})


def _choice(default: str, choices: tuple[str, ...], text: str, **more: Any) -> Any:
    return field(default=default, metadata={"rule": Rule(text, choices=choices, **more)})


def _switch(default: bool, text: str, **more: Any) -> Any:
    return field(default=default, metadata={"rule": Rule(text, switch=True, **more)})


class _Checked:
    """Checks every field of a dataclass by its rule."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for one in fields(self):  # type: ignore[arg-type]
            if "rule" in one.metadata:
                one.metadata["rule"].check(_name(one), getattr(self, one.name))


@dataclass(frozen=True, slots=True)
class VpxSettings(_Checked):
    """How libvpx encodes a chunk, in mode rebase; one quantiser for all its inter frames.

    Raises:
        OptionError: a value is not allowed.
    """

    deadline: str = _choice("good", DEADLINES, "Effort of libvpx, in mode rebase", offered=True)
    # Speeds that follow the clock are not used: in realtime 0 is as 1 and the sign is ignored.
    cpu_used: int = _number(
        0, -16, 16, "Speed of libvpx within the deadline, in mode rebase; 0 is the most careful; "
        "in realtime the sign has no effect", offered=True
    )  # fmt: skip
    # The key frame may be better than the rest, never worse. docs/offsets.md has the figures.
    key_frame_q_offset: int = _number(
        -8, -CRF_MAX, 0, "Added to `crf` for the key frame of a chunk"
    )
    tune: str = _choice("psnr", ("psnr", "ssim"), "What libvpx's decisions count as distortion")
    lag_in_frames: int = _number(0, 0, _LAG_MAX, "Frames that libvpx may look ahead")
    auto_alt_ref: int = _number(
        0, 0, 1, "1 lets libvpx code hidden altref frames, if it may look ahead"
    )


@dataclass(frozen=True, slots=True)
class AnchorSettings(_Checked):
    """How our encoder codes a batch, in mode anchors.

    Raises:
        OptionError: a value is not allowed.
    """

    effort: int = _number(
        2, 0, 4, "How hard our encoder tries in mode anchors: 0 is the fastest, 4 the most careful",
        offered=True
    )  # fmt: skip

    @property
    def ordinary_effort(self) -> int:
        """Of frames between anchors: one less, for few others are predicted from them."""
        return max(self.effort - 1, 0)


@dataclass(frozen=True, slots=True)
class RebaseSettings(_Checked):
    """How the chunks of a batch are joined, in mode rebase.

    Raises:
        OptionError: a value is not allowed.
    """

    # docs/offsets.md has the figures.
    first_frame_qi_offset: int = _number(
        -4, -_QI_MAX, _QI_MAX, "Added to `y_ac_qi` for the re-encoded first frames of "
        "chunks 2 to x"
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class EncodeOptions(_Checked):
    """The options of one encode; equal options and source give equal bytes.

    Raises:
        OptionError: a value is not allowed.
    """

    chunk_frames: int = _number(
        0, 0, 1000, "N: frames of a chunk; 0 chooses it for each batch, and batches end where "
        "scenes do", flag="-n", offered=True,
        section=STRUCTURE
    )  # fmt: skip
    batch_chunks: int = _number(
        16, 1, _MOST_CHUNKS, "x: chunks that share one key frame; 1 joins nothing; if N is chosen, "
        "a batch has at most 12 x frames, 6 x in mode rebase", flag="-x", offered=True,
        section=STRUCTURE
    )  # fmt: skip
    crf: int = _number(
        24, 0, CRF_MAX, "Quality on libvpx's quantiser scale; 0 is the best", offered=True
    )
    mode: str = _choice(
        "auto", MODES, "How the chunks of a batch come to share a key frame: anchors codes ahead "
        "the frames that they refer to; rebase is the published method, in which libvpx encodes "
        "them and they are rebased; auto chooses for each batch", offered=True, section=STRUCTURE
    )  # fmt: skip
    deinterlace: bool = _switch(
        True, "Make whole pictures of interlaced ones", offered=True, section=SOURCE
    )
    damaged: bool = _switch(
        False,
        "Encode what there is of a source that ends early, instead of refusing it",
        offered=True,
        section=SOURCE,
    )
    strict: bool = _switch(
        False,
        "Refuse a source with any damage, instead of concealing it",
        offered=True,
        section=SOURCE,
    )
    anchors: AnchorSettings = field(default_factory=AnchorSettings)
    vpx: VpxSettings = field(default_factory=VpxSettings)
    rebase: RebaseSettings = field(default_factory=RebaseSettings)

    def with_texts(self, given: Mapping[str, str]) -> EncodeOptions:
        """These options with some replaced: by the command line's names, values as text.

        Raises:
            OptionError: a name is unknown, a value is malformed or not allowed.
        """
        known = {option.name: option for option in OFFERED}
        values: dict[str, Value] = {}
        for name, text in given.items():
            if name not in known:
                raise OptionError(f"there is no option {name!r}; there are {', '.join(known)}")
            values[known[name].field] = known[name].parse(text)
        return self.with_values(values)

    def with_values(self, given: Mapping[str, Value]) -> EncodeOptions:
        """These options with some replaced, by the API's names.

        Raises:
            OptionError: a name is unknown, or a value is not allowed.
        """
        groups: dict[str, dict[str, Value]] = {}
        known = {option.field: option for option in OFFERED}
        for name, value in given.items():
            if name not in known:
                raise OptionError(f"there is no option {name!r}; there are {', '.join(known)}")
            groups.setdefault(known[name].group, {})[name] = value
        changed: dict[str, Any] = dict(groups.pop("", {}))
        for group, values in groups.items():
            changed[group] = replace(getattr(self, group), **values)
        return replace(self, **changed)

    def offered(self) -> dict[str, Value]:
        """The values of the options that users may set, by the API's names."""
        return {
            option.field: getattr(getattr(self, option.group) if option.group else self,
                                  option.field)
            for option in OFFERED
        }  # fmt: skip

    @property
    def follows_scenes(self) -> bool:
        """Whether the pictures decide where batches end, and N if that may vary."""
        return self.chunk_frames == 0

    @property
    def varies_chunks(self) -> bool:
        """Whether N may differ from batch to batch; else it is `usual_frames`."""
        return self.follows_scenes and self.batch_chunks > 1 and self.mode != "rebase"

    @property
    def usual_frames(self) -> int:
        """N of a batch for which nothing else is chosen."""
        if self.chunk_frames:
            return self.chunk_frames
        # A batch of one chunk has nothing to join, whatever the mode.
        rebased = self.mode == "rebase" and self.batch_chunks > 1
        return _SHORTEST_FRAMES if rebased else _USUAL_FRAMES

    @property
    def longest_batch(self) -> int:
        """The most frames of a batch, a multiple of `usual_frames`."""
        longest = self.usual_frames * self.batch_chunks
        return longest if self.chunk_frames else min(longest, _SHORTEST_FRAMES * _MOST_CHUNKS)

    @property
    def usual_chunks(self) -> int:
        """The chunks of a longest batch with `usual_frames`."""
        return self.longest_batch // self.usual_frames

    @property
    def first_frame_qi(self) -> int:
        """`y_ac_qi` for the re-encoded first frames."""
        return min(_QI_MAX, max(0, QI_OF_CRF[self.crf] + self.rebase.first_frame_qi_offset))

    def to_json(self) -> dict[str, Any]:
        """The options as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EncodeOptions:
        """The options that `to_json` returned.

        Raises:
            OptionError: a name is unknown or a value is not allowed.
        """
        try:
            groups = {name: kind(**data.get(name, {})) for name, kind in _GROUPS.items()}
            return cls(**{**data, **groups})
        except TypeError as error:
            raise OptionError(str(error)) from error


_GROUPS = {"anchors": AnchorSettings, "vpx": VpxSettings, "rebase": RebaseSettings}


def _name(one: Field[Any]) -> str:
    return one.name.replace("_", "-")


def _table(kind: type[Any], group: str = "") -> Iterator[Option]:
    for one in fields(kind):
        if one.name in _GROUPS:
            yield from _table(_GROUPS[one.name], one.name)
        else:
            # A field without a rule would escape validation: this fails at import instead.
            yield Option(
                _name(one), one.name, group, cast(Value, one.default), one.metadata["rule"]
            )


OPTIONS: tuple[Option, ...] = tuple(_table(EncodeOptions))
"""Every option."""

OFFERED: tuple[Option, ...] = tuple(option for option in OPTIONS if option.rule.offered)
"""The options that users may set by the command line, metadata and the API."""
