"""The options of an encode: everything that decides what the encoded bytes are.

Each option is one field of the dataclasses below. The field's rule states its range, its help
text, and whether users may set it. `OPTIONS` collects the rules into the one table from which the
rest is made: the options of the command line, the metadata of uploads, the model of the API, the
check of the stack's defaults, and the tables in `docs/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, cast

from excamera.errors import OptionError
from excamera.job import forms, target
from excamera.job.codecs import (
    AUTO,
    CODECS,
    CONTAINERS,
    DEPTHS,
    MANIFESTS,
    USUAL_CRF,
    VP8,
    WORST_CRF,
    check_depth,
    container_for,
)
from excamera.job.encoders import (
    QI_MAX,
    QI_OF_CRF,
    AnchorSettings,
    PlainSettings,
    RebaseSettings,
    VpxSettings,
)
from excamera.job.lengths import LONGEST_PLAIN, MOST_CHUNKS, Lengths
from excamera.job.presets import PRESETS
from excamera.job.rules import (
    EDITING,
    QUALITY,
    SOURCE,
    STRUCTURE,
    Checked,
    Option,
    Rule,
    Value,
    choice,
    free_text,
    number,
    option_name,
    switch,
)
from excamera.job.target import Target
from excamera.job.zones import ZONES_FORM, parse_zones

MODES = ("auto", "anchors", "rebase")
_EIGHTHS = 8
_VP8 = (VP8,)


@dataclass(frozen=True, slots=True)
class EncodeOptions(Checked):
    """The options of one encode; equal options and source give equal bytes.

    Raises:
        OptionError: a value is not allowed.
    """

    codec: str = choice(
        VP8, tuple(CODECS), "What the result is coded in: vp8 by our method, whose chunks share "
        "key frames; the others by libvpx, SVT-AV1 and x264, in plain chunks of up to "
        f"{LONGEST_PLAIN} frames, each with a key frame of its own", offered=True
    )  # fmt: skip
    chunk_frames: int = number(
        0, 0, 1000, "N: frames of a chunk; 0 chooses it for each batch, and batches end where "
        "scenes do", flag="-n", offered=True,
        section=STRUCTURE
    )  # fmt: skip
    batch_chunks: int = number(
        16, 1, MOST_CHUNKS, "x: chunks that share one key frame; 1 joins nothing; if N is chosen, "
        "a batch has at most 12 x frames, 6 x in mode rebase", flag="-x", offered=True, codecs=_VP8,
        section=STRUCTURE
    )  # fmt: skip
    crf: int = number(
        None, 0, WORST_CRF, "Quality on the scale of the codec's encoder (h264: 0 to 51); "
        "0 is the best", offered=True, usual=USUAL_CRF
    )  # fmt: skip
    # A film is encoded with them for a target: a whole step of crf would be too coarse.
    crf_eighths: int = number(
        0, 0, _EIGHTHS - 1, "Eighths of a step that are added to `crf`, in mode anchors and for "
        "h264"
    )  # fmt: skip
    bitrate: str = free_text(
        target.BITRATE_FORM, target.parse_bitrate, "Instead of crf: the rate of the picture, "
        "met within 3 % over the film", section=QUALITY
    )  # fmt: skip
    size: str = free_text(
        target.SIZE_FORM, target.parse_size, "Instead of crf: the size of the whole file with "
        "its sound", section=QUALITY
    )  # fmt: skip
    target_ssim: str = free_text(
        target.SSIM_FORM, target.parse_ssim, "Instead of crf: the mean SSIM of the luma, in dB "
        "as excamera compare prints it", section=QUALITY
    )  # fmt: skip
    target_psnr: str = free_text(
        target.PSNR_FORM, target.parse_psnr, "Instead of crf: the PSNR of the luma",
        section=QUALITY
    )  # fmt: skip
    zones: str = free_text(
        ZONES_FORM, parse_zones, "Parts of the film with another quality, which begin with a key "
        "frame; +N or -N is added to the film's crf", section=QUALITY
    )  # fmt: skip
    mode: str = choice(
        "auto", MODES, "How the chunks of a batch come to share a key frame: anchors codes ahead "
        "the frames that they refer to; rebase is the published method, in which libvpx encodes "
        "them and they are rebased; auto chooses for each batch", offered=True, codecs=_VP8,
        section=STRUCTURE
    )  # fmt: skip
    deinterlace: bool = switch(
        True, "Make whole pictures of interlaced ones", offered=True, section=SOURCE
    )
    damaged: bool = switch(
        False,
        "Encode what there is of a source that ends early, instead of refusing it",
        offered=True,
        section=SOURCE,
    )
    strict: bool = switch(
        False,
        "Refuse a source with any damage, instead of concealing it",
        offered=True,
        section=SOURCE,
    )
    container: str = choice(
        AUTO, (AUTO, *CONTAINERS, *MANIFESTS), "The container of a result in the cloud, and its "
        "ending; auto takes .webm, or .mp4 for a codec that it does not hold; of a ladder the "
        "manifest", offered=True, local=False
    )  # fmt: skip
    start: str = free_text(forms.TIME_FORM, forms.parse_start, "Begin at this time of the source")
    duration: str = free_text(
        forms.TIME_FORM, forms.parse_duration, "Encode so much from there, instead of all"
    )
    fps: str = free_text(
        forms.RATE_FORM, forms.parse_rate, "Pictures a second of the result, for which pictures "
        "are dropped or repeated; of numbered pictures the rate at which they are shown, else 25"
    )  # fmt: skip
    crop: str = free_text(forms.CROP_FORM, forms.parse_crop, "Keep this part of the picture only")
    vf: str = free_text(
        "an FFmpeg graph such as unsharp,hflip", str, "Filters of the pictures, between crop and "
        "scale"
    )  # fmt: skip
    vf_lead: int = number(
        -1, -1, 240, "How many frames before and behind each the filters of vf see; -1 takes it "
        "from a table of filters", offered=True, section=EDITING
    )  # fmt: skip
    scale: str = free_text(
        forms.SCALE_FORM, forms.parse_scale, "Size of the result's pictures, after all filters"
    )
    ladder: str = free_text(
        forms.LADDER_FORM, forms.parse_ladder, "Make several sizes of one read of the source, and "
        "the manifest that OUTPUT names: .mpd for DASH, .m3u8 for HLS"
    )  # fmt: skip
    tonemap: bool = switch(
        False, "Make pictures for standard screens, in BT.709, of HDR ones (PQ or HLG)",
        offered=True, section=EDITING,
    )  # fmt: skip
    depth: str = choice(
        AUTO, DEPTHS, "Bits of a sample of the result; 10 is for av1 and h264; auto keeps more "
        "than 8 as 10 with av1, and makes 8 with the others", offered=True, section=QUALITY
    )  # fmt: skip
    audio: str = free_text(
        forms.AUDIO_FORM, forms.parse_audio, "The sound tracks of the result, instead of the "
        "default one, the first of them as its default; none leaves out all sound",
        off=forms.NO_AUDIO
    )  # fmt: skip
    anchors: AnchorSettings = field(default_factory=AnchorSettings)
    vpx: VpxSettings = field(default_factory=VpxSettings)
    rebase: RebaseSettings = field(default_factory=RebaseSettings)
    plain: PlainSettings = field(default_factory=PlainSettings)

    def __post_init__(self) -> None:
        """Check the values, also against each other."""
        if cast(int | None, self.crf) is None and self.codec in CODECS:
            object.__setattr__(self, "crf", CODECS[self.codec].crf)
        Checked.__post_init__(self)
        worst = CODECS[self.codec].worst_crf
        if self.exact_crf > worst:
            raise OptionError(f"crf must be 0 to {worst} for {self.codec}, not {self.exact_crf:g}")
        container_for(self.codec, self.container, self.ladder)
        check_depth(self.codec, self.depth)
        self._check_zones()
        self._check_ladder()

    def _check_zones(self) -> None:
        choice, wanted = CODECS[self.codec], self.target
        zones = parse_zones(self.zones)
        if zones and wanted is None and self.exact_crf < choice.best_mixed:
            raise OptionError(
                f"crf {self.crf} of {self.codec} is lossless, and zones beside it are not: leave "
                f"out zones, or give crf {choice.best_mixed} or more"
            )
        for zone in zones:
            if zone.is_change:
                continue
            if wanted is not None:
                raise OptionError(
                    f"zones: {zone.text} gives a crf where {wanted.kind.replace('_', '-')} "
                    "decides it: give what to add to it, such as +6"
                )
            if not choice.best_mixed <= zone.crf <= choice.worst_crf:
                raise OptionError(
                    f"zones: {zone.text}: crf must be {choice.best_mixed} to {choice.worst_crf} "
                    f"for {self.codec}"
                )

    def _check_ladder(self) -> None:
        wanted = self.target
        if self.ladder and self.scale:
            raise OptionError("a ladder has sizes of its own: leave out scale, or the ladder")
        if self.ladder and wanted is not None:
            raise OptionError(
                f"{wanted.kind} is for one file: leave it out, and give a ladder a crf"
            )

    @property
    def target(self) -> Target | None:
        """What the result is to reach instead of the quality `crf`; None leaves it at that.

        Raises:
            OptionError: there are several targets.
        """
        return Target.of({kind: getattr(self, kind) for kind in target.KINDS})

    @property
    def exact_crf(self) -> float:
        """`crf` with its eighths."""
        return self.crf + self.crf_eighths / _EIGHTHS

    @property
    def crf_grid(self) -> float:
        """The steps of `exact_crf` that make a difference."""
        is_fine = self.codec == "h264" or (self.codec == VP8 and self.mode != "rebase")
        return 1 / _EIGHTHS if is_fine else 1.0

    def with_crf(self, crf: float, change: float = 0.0) -> EncodeOptions:
        """These options with that quality, a multiple of `crf_grid`.

        Args:
            crf: of the film.
            change: what is added to it, as far as the scale allows.
        """
        if change:
            choice = CODECS[self.codec]
            crf = min(max(crf + change, choice.best_mixed), choice.worst_crf)
        whole, rest = divmod(round(crf * _EIGHTHS), _EIGHTHS)
        return replace(self, crf=whole, crf_eighths=rest)

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

        Another codec comes with its own usual quality and depth, unless these are given, too. A
        preset comes with its options, see `expanded`.

        Raises:
            OptionError: a name is unknown, a value is not allowed, or means nothing for the codec.
        """
        given = expanded(given)
        wanted = given.get("codec", self.codec)
        groups: dict[str, dict[str, Value | None]] = {}
        if wanted != self.codec:
            groups[""] = {"crf": None, "depth": AUTO}
        known = {option.field: option for option in OFFERED}
        for name, value in given.items():
            if name not in known:
                raise OptionError(f"there is no option {name!r}; there are {', '.join(known)}")
            rule = known[name].rule
            if rule.codecs and wanted in CODECS and wanted not in rule.codecs:
                raise OptionError(
                    f"{known[name].name} is for {', '.join(rule.codecs)}: leave it out for {wanted}"
                )
            groups.setdefault(known[name].group, {})[name] = value
        changed: dict[str, Any] = dict(groups.pop("", {}))
        # What a user asks for replaces any target of the stack.
        asked = [one for one in (target.CRF, *target.KINDS) if given.get(one) not in (None, "")]
        target.refuse_several(asked)
        if asked:
            changed = {**dict.fromkeys(target.KINDS, ""), **changed}
        for group, values in groups.items():
            changed[group] = replace(getattr(self, group), **values)
        return replace(self, **changed)

    def offered(self) -> dict[str, Value]:
        """The values of the options that users may set for this codec, by the API's names."""
        return {
            option.field: getattr(getattr(self, option.group) if option.group else self,
                                  option.field)
            for option in OPTIONS
            if option.rule.offered
            if not option.rule.codecs or self.codec in option.rule.codecs
            if option.field != target.CRF or self.target is None
        }  # fmt: skip

    @property
    def is_plain(self) -> bool:
        """Whether each batch is one chunk, by the encoder of another codec than VP8."""
        return self.codec != VP8

    @property
    def output_container(self) -> str:
        """The container of a result in the cloud, by its name and file ending."""
        return container_for(self.codec, self.container, self.ladder)

    @property
    def trial_crf(self) -> int:
        """Quality on VP8's scale, for the few pictures that are encoded to look at a film."""
        return CODECS[VP8].crf if self.is_plain else self.crf

    @property
    def rungs(self) -> tuple[int, ...]:
        """The sizes of a ladder, by the most pixels of their shorter side; none without one."""
        return forms.parse_ladder(self.ladder) if self.ladder else ()

    @property
    def edits(self) -> bool:
        """Whether the result has other frames than the source, or changed ones."""
        return any((self.start, self.duration, self.fps, self.crop, self.vf, self.scale,
                    self.tonemap))  # fmt: skip

    @property
    def lengths(self) -> Lengths:
        """How long its chunks and batches are."""
        return Lengths(self.chunk_frames, self.batch_chunks, self.mode, self.is_plain)

    @property
    def first_frame_qi(self) -> int:
        """`y_ac_qi` for the re-encoded first frames."""
        return min(QI_MAX, max(0, QI_OF_CRF[self.crf] + self.rebase.first_frame_qi_offset))

    def to_json(self) -> dict[str, Any]:
        """The options as a JSON object."""
        return asdict(self)

    def changed(self) -> dict[str, Any]:
        """Those of `to_json` that are not the defaults; `from_json` takes them, too."""
        return _difference(
            self.to_json(), EncodeOptions(codec=self.codec).to_json() | {"codec": VP8}
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EncodeOptions:
        """The options that `to_json` or `changed` returned.

        Raises:
            OptionError: a name is unknown or a value is not allowed.
        """
        try:
            groups = {name: kind(**data.get(name, {})) for name, kind in _GROUPS.items()}
            return cls(**{**data, **groups})
        except TypeError as error:
            raise OptionError(str(error)) from error


_GROUPS = {
    "anchors": AnchorSettings,
    "vpx": VpxSettings,
    "rebase": RebaseSettings,
    "plain": PlainSettings,
}


def _difference(data: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in data.items():
        if isinstance(value, dict):
            value = _difference(value, usual[name])
            if value:
                found[name] = value
        elif value != usual[name]:
            found[name] = value
    return found


def _table(kind: type[Any], group: str = "") -> Iterator[Option]:
    for one in fields(kind):
        if one.name in _GROUPS:
            yield from _table(_GROUPS[one.name], one.name)
        else:
            # A field without a rule would escape validation: this fails at import instead.
            default = cast(Value, getattr(kind(), one.name))
            yield Option(option_name(one), one.name, group, default, one.metadata["rule"])


OPTIONS: tuple[Option, ...] = tuple(_table(EncodeOptions))
"""Every option."""

PRESET = Option(
    "preset", "preset", "", "", Rule(
        "Start from a set of options for a purpose; those given beside it win. `excamera presets` "
        "shows them all", choices=tuple(PRESETS), offered=True
    )
)  # fmt: skip
"""What users write for a whole set of options. It is no field: its options take its place."""

OFFERED: tuple[Option, ...] = (PRESET, *(option for option in OPTIONS if option.rule.offered))
"""The options that users may set by the command line, metadata and the API."""


def expanded(given: Mapping[str, Value]) -> Mapping[str, Value]:
    """Options with those of the preset that is among them; what else is given wins.

    With another codec than the preset's, its quality and effort mean nothing and are left out;
    with a target, its quality; with a ladder, its size.

    Args:
        given: by the API's names.

    Raises:
        OptionError: there is no such preset.
    """
    if PRESET.field not in given:
        return given
    PRESET.rule.check(PRESET.name, given[PRESET.field])
    options = PRESETS[str(given[PRESET.field])].options
    others = {name: value for name, value in given.items() if name != PRESET.field}
    left_out: set[str] = set()
    if others.get("codec", options["codec"]) != options["codec"]:
        left_out = {target.CRF, *(option.field for option in OPTIONS if option.rule.codecs)}
    if any(others.get(kind) for kind in target.KINDS):
        left_out.add(target.CRF)
    if others.get("ladder"):
        left_out.add("scale")
    return {**{name: options[name] for name in options if name not in left_out}, **others}
