"""What a form for new jobs has to know: the options with their help, presets, limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from excamera.job.codecs import CODECS
from excamera.job.options import OFFERED, PRESET, EncodeOptions
from excamera.job.presets import PRESETS
from excamera.job.rules import SECTIONS, Option

Kind = Literal["number", "choice", "switch", "text"]


class OfferedOption(BaseModel):
    """An option of jobs, as the table of options describes it."""

    field: Annotated[str, Field(description="Its name in `options` of a job.")]
    name: Annotated[str, Field(description="Its name for people.")]
    section: str
    help: str
    kind: Kind
    lowest: int | None = None
    highest: int | None = None
    choices: list[str] = Field(default_factory=list)
    form: Annotated[str, Field(description="What a text must be; it may also be empty.")] = ""
    codecs: Annotated[list[str], Field(description="For which it is; none: for all.")]
    usual: Annotated[str, Field(description="What stands for it if it is left out.")]


class OfferedPreset(BaseModel):
    """A named set of options."""

    name: str
    help: str
    options: dict[str, bool | int | str]


class Offers(BaseModel):
    """What new jobs can be asked for here."""

    sections: list[str]
    options: list[OfferedOption]
    presets: list[OfferedPreset]
    codecs: dict[str, list[str]] = Field(description="Containers of each; the first is usual.")
    suffixes: Annotated[
        list[str], Field(description="Endings that uploads may have; none: all.")
    ] = Field(default_factory=list)
    max_source_bytes: Annotated[
        int | None, Field(description="Of an upload; null if nothing but the disk limits it.")
    ] = None
    costs: Annotated[bool, Field(description="Whether jobs cost money here.")]


def offers(
    usual: EncodeOptions,
    *,
    costs: bool,
    suffixes: Sequence[str] = (),
    max_source_bytes: int | None = None,
) -> Offers:
    """What jobs can be asked for.

    Args:
        usual: the options of a job that asks for nothing.
        costs: whether jobs cost money.
        suffixes: endings that uploads must have, with their dot; none for any.
        max_source_bytes: the largest upload.
    """
    return Offers(
        sections=list(SECTIONS),
        options=[_offered(option, usual) for option in OFFERED if option is not PRESET],
        presets=[
            OfferedPreset(name=name, help=one.help, options=dict(one.options))
            for name, one in PRESETS.items()
        ],
        codecs={name: list(choice.containers) for name, choice in CODECS.items()},
        suffixes=list(suffixes),
        max_source_bytes=max_source_bytes,
        costs=costs,
    )


def _offered(option: Option, usual: EncodeOptions) -> OfferedOption:
    rule = option.rule
    kind: Kind = "number"
    if rule.switch:
        kind = "switch"
    elif rule.choices:
        kind = "choice"
    elif rule.form:
        kind = "text"
    numbers = {"lowest": rule.lowest, "highest": rule.highest} if kind == "number" else {}
    return OfferedOption(
        field=option.field,
        name=option.name,
        section=rule.section,
        help=rule.help,
        kind=kind,
        choices=list(rule.choices),
        form=rule.form,
        codecs=list(rule.codecs),
        usual=_usual(option, usual),
        **numbers,
    )


def _usual(option: Option, usual: EncodeOptions) -> str:
    if option.rule.usual:
        return option.rule.usual
    value = getattr(getattr(usual, option.group) if option.group else usual, option.field)
    return str(value).lower() if option.rule.switch else str(value)
