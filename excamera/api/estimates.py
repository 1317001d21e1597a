"""What a film would take, from what its sender knows of it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from excamera.api.refusals import Unprocessable
from excamera.api.requests import Options
from excamera.errors import ExCameraError
from excamera.job.options import EncodeOptions
from excamera.price.edits import edited
from excamera.price.film import Film

_MOST_FRAMES = 10**8
_LONGEST_SIDE = 16383
_MOST_TRACKS = 99


class FilmFacts(BaseModel):
    """A film that is not sent yet."""

    model_config = ConfigDict(extra="forbid")

    frames: Annotated[int, Field(ge=1, le=_MOST_FRAMES)]
    width: Annotated[int, Field(ge=1, le=_LONGEST_SIDE, description="Of a picture, in pixels.")]
    height: Annotated[int, Field(ge=1, le=_LONGEST_SIDE)]
    duration_s: Annotated[float, Field(ge=0.001, le=10**7)]
    # JSON's true and false, of callers from before it was a count, are 1 and 0 to Pydantic.
    sound: Annotated[
        int, Field(ge=0, le=_MOST_TRACKS, description="How many sound tracks the result has.")
    ] = 1


class EstimateRequest(BaseModel):
    """A question for time, size and price."""

    model_config = ConfigDict(extra="forbid")

    film: FilmFacts
    options: Options = Field(default_factory=Options)


class EstimateAnswer(BaseModel):
    """What a job of the film should take; the film may be harder or easier than most."""

    seconds: Annotated[float, Field(description="From the end of the upload to the result.")]
    bytes: Annotated[int, Field(description="Size of the result.")]
    usd: Annotated[
        float | None, Field(description="List prices of us-east-1; null on one machine.")
    ] = None
    frames: Annotated[int, Field(description="Of the result.")]
    width: int
    height: int
    by: Annotated[str, Field(description="Whose pace it is.")]


def asked(request: EstimateRequest, usual: EncodeOptions) -> tuple[Film, EncodeOptions]:
    """The film as the options leave it, and all options.

    Args:
        request: the question.
        usual: the options that count unless the request has others.

    Raises:
        Unprocessable: the options do not fit each other, or the film.
    """
    try:
        options = usual.with_values(request.options.values())
        film = edited(Film(**request.film.model_dump()), options)
    except ExCameraError as error:
        raise Unprocessable(f"options: {error}") from error
    return film, options


def told(film: Film, seconds: float, size: int, by: str, **more: Any) -> EstimateAnswer:
    """The answer.

    Args:
        film: of the result.
        seconds: that it should take.
        size: bytes of the result.
        by: whose pace it is.
        more: the price, if there is one.
    """
    return EstimateAnswer(
        seconds=round(seconds, 1),
        bytes=size,
        frames=film.frames,
        width=film.width,
        height=film.height,
        by=by,
        **more,
    )
