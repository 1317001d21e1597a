"""What a new job is asked for with; the API's OpenAPI document is generated from these models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    create_model,
    field_validator,
    model_validator,
)

from excamera.job import goal as goals
from excamera.job.codecs import CONTAINERS, MANIFESTS
from excamera.job.options import OFFERED
from excamera.job.rules import Option, Value
from excamera.lifecycle.admission import HIGHEST_PRIORITY, USUAL_PRIORITY

JOB_ID = r"^[A-Za-z0-9][A-Za-z0-9-]{0,79}$"

_LARGEST_OBJECT = 5 << 40
_TAG_BYTES = 1024


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Options(_Request):
    def values(self) -> dict[str, Value]:
        """The options that the request gives."""
        return self.model_dump(exclude_none=True)


def _field(option: Option) -> tuple[Any, None]:
    rule = option.rule
    if rule.switch:
        return Annotated[bool | None, Field(description=rule.help)], None
    if rule.choices:
        return Annotated[Literal[rule.choices] | None, Field(description=rule.help)], None
    if rule.form:
        return Annotated[str | None, Field(description=f"{rule.help} ({rule.form}).")], None
    limits = Field(ge=rule.lowest, le=rule.highest, description=rule.help)
    return Annotated[int | None, limits], None


if TYPE_CHECKING:
    Options = _Options
else:
    Options = create_model(
        "Options",
        __base__=_Options,
        __doc__="Encode options; the stack's default stands for an option that is left out.",
        **{option.field: _field(option) for option in OFFERED},
    )


class JobRequest(_Request):
    """A new job: of a `source` in S3, or of a file to upload."""

    source: Annotated[
        str | None,
        Field(
            pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$",
            max_length=1200,
            description="`s3://bucket/key` in a bucket that the stack may read. In the key only "
            "`%`, `?` and `#` are percent-encoded. `?versionId=...` names a version.",
        ),
    ] = None
    upload: Annotated[
        bool, Field(description="Return URLs for a multipart upload of the source.")
    ] = False
    name: Annotated[
        str | None,
        Field(
            pattern=r"^[^/\\\x00-\x1f\x7f]+$",
            max_length=200,
            description="File name of an upload; its suffix must be one that starts jobs.",
        ),
    ] = None
    size: Annotated[
        int | None, Field(ge=1, le=_LARGEST_OBJECT, description="Size of an upload in bytes.")
    ] = None
    output: Annotated[
        str | None,
        Field(
            pattern=rf"^[^\x00-\x1f\x7f]+\.({'|'.join((*CONTAINERS, *MANIFESTS))})$",
            max_length=900,
            description="Key of the result, whose ending is that of its container; by default the "
            "source's key with the ending of the option `container`.",
        ),
    ] = None
    options: Options = Field(default_factory=Options)
    within_s: Annotated[
        float | None,
        Field(
            gt=0,
            le=goals.LONGEST_S,
            description="Seconds from the end of the upload to the result. N, x, memory and number "
            "of workers are then chosen: the cheapest that should end in time, else the fastest.",
        ),
    ] = None
    budget_usd: Annotated[
        float | None,
        Field(
            gt=0,
            le=goals.DEAREST_USD,
            description="Dollars that the job may cost. The same is chosen: the fastest that "
            "should cost no more. If there is none, the job fails before it encodes anything.",
        ),
    ] = None
    or_fail: Annotated[
        bool, Field(description="A job that should not end `within_s` fails before it encodes.")
    ] = False
    priority: Annotated[
        int,
        Field(
            ge=-HIGHEST_PRIORITY,
            le=HIGHEST_PRIORITY,
            description="Jobs of a higher priority start before others that wait.",
        ),
    ] = USUAL_PRIORITY
    tag: Annotated[
        JsonValue,
        Field(description="Any JSON of at most 1 KiB; answers and notices about the job have it."),
    ] = None

    @field_validator("tag")
    @classmethod
    def _small(cls, tag: JsonValue) -> JsonValue:
        if len(json.dumps(tag).encode()) > _TAG_BYTES:
            raise ValueError(f"is larger than {_TAG_BYTES} bytes")
        return tag

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.upload == (self.source is not None):
            raise ValueError("needs either a source or upload: true")
        if self.upload and (self.name is None or self.size is None):
            raise ValueError("an upload needs the file's name and size")
        if not self.upload and (self.name is not None or self.size is not None):
            raise ValueError("name and size belong to an upload")
        return self

    @model_validator(mode="after")
    def _one_goal(self) -> Self:
        goal = self.goal()
        if goal is not None:
            goal.refuse(self.options.values())
        return self

    def goal(self) -> goals.Goal | None:
        """The goal that the request gives, if it gives one.

        Raises:
            OptionError: it gives two.
        """
        if self.within_s is None and self.budget_usd is None and not self.or_fail:
            return None
        return goals.Goal(self.within_s, self.budget_usd, self.or_fail)
