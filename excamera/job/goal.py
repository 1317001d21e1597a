"""What a user may ask of a job in place of N, x, packing and memory: a time, or a price."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from excamera.errors import OptionError
from excamera.job.codecs import VP8
from excamera.job.options import OPTIONS, EncodeOptions, expanded
from excamera.job.rules import SWITCH, Value
from excamera.job.target import KINDS

WITHIN, BUDGET, OR_FAIL = NAMES = ("within", "budget", "or-fail")
"""As the command line and the metadata of uploads write it."""

CHOSEN = ("chunk_frames", "batch_chunks")
"""The options that are then chosen, by the API's names."""

LONGEST_S = 7 * 86_400.0
DEAREST_USD = 100_000.0

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_TIME = re.compile(rf"(?P<number>\d+(\.\d+)?)\s*(?P<unit>{'|'.join(_UNITS)})")


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal of one job: a time or a price.

    Attributes:
        within_s: seconds from the end of the upload to the result; None for no such goal.
        budget_usd: what the job may cost, in dollars; None for no such goal.
        or_fail: whether a job that cannot be done within the time is to fail, instead of being as
            fast as possible. One that costs more than the budget always fails.

    Raises:
        OptionError: there is neither a time nor a price, or both, or one that is none.
    """

    within_s: float | None = None
    budget_usd: float | None = None
    or_fail: bool = False

    def __post_init__(self) -> None:
        """Check it."""
        if (self.within_s is None) == (self.budget_usd is None):
            raise OptionError(f"give either {WITHIN} or {BUDGET}, not both")
        if self.or_fail and self.within_s is None:
            raise OptionError(f"{OR_FAIL} belongs to {WITHIN}")
        for name, value, most in (
            (WITHIN, self.within_s, LONGEST_S),
            (BUDGET, self.budget_usd, DEAREST_USD),
        ):
            if value is not None and not (math.isfinite(value) and 0 < value <= most):
                raise OptionError(f"{name} must be more than 0 and at most {most:,.0f}")

    @classmethod
    def of_texts(cls, given: Mapping[str, str]) -> Self | None:
        """The goal that a user wrote by `NAMES`, as "30s", "2m" or "0.40"; None without any.

        Raises:
            OptionError: it is none.
        """
        if not given:
            return None
        or_fail = given.get(OR_FAIL, "false").strip().lower()
        if or_fail not in SWITCH:
            raise OptionError(f"{OR_FAIL} must be true or false, not {given[OR_FAIL]!r}")
        return cls(
            seconds_of(given[WITHIN]) if WITHIN in given else None,
            dollars_of(given[BUDGET]) if BUDGET in given else None,
            SWITCH[or_fail],
        )

    def refuse(self, given: Mapping[str, Value]) -> None:
        """Refuse options that a user gave, if they are among those that the goal chooses.

        Args:
            given: the options, by the API's names.

        Raises:
            OptionError: there are some.
        """
        given = expanded(given)
        names = [one.name for one in OPTIONS if one.field in CHOSEN and one.field in given]
        if names:
            raise OptionError(
                f"{self._name} chooses {' and '.join(names)}: leave out one or the other"
            )
        self._check_codec(str(given.get("codec", VP8)))
        self._check_target([kind for kind in KINDS if given.get(kind)])

    def check(self, options: EncodeOptions) -> None:
        """Refuse options for which nothing can be chosen.

        Raises:
            OptionError: the codec is not VP8, or there is a target or a ladder.
        """
        if options.ladder:
            raise OptionError(f"{self._name} is for one file: leave it out for a ladder")
        self._check_codec(options.codec)
        self._check_target([] if options.target is None else [options.target.kind])

    def _check_codec(self, codec: str) -> None:
        if codec != VP8:
            raise OptionError(f"{self._name} is for {VP8} only: leave it out for {codec}")

    def _check_target(self, kinds: list[str]) -> None:
        if kinds:
            name = kinds[0].replace("_", "-")
            raise OptionError(
                f"{self._name} and {name} exclude each other: how long a job takes that has to "
                "find its quality is not known before"
            )

    @property
    def _name(self) -> str:
        return WITHIN if self.budget_usd is None else BUDGET

    def to_json(self) -> dict[str, Any]:
        """The goal as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Self | None:
        """The goal that `to_json` returned, or None."""
        return None if data is None else cls(**data)


def seconds_of(text: str, name: str = WITHIN) -> float:
    """A time such as "30s", "2m", "1.5h", "7d", or "30", in seconds.

    Args:
        text: as a user wrote it.
        name: of the option, for the message.

    Raises:
        OptionError: it is none.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise OptionError(f"{name} must be a time such as 30s, 2m or 1h, not {text!r}")
    return float(found["number"]) * _UNITS[found["unit"]]


def dollars_of(text: str) -> float:
    """A price such as "0.40" or "$0.40", in dollars.

    Raises:
        OptionError: it is none.
    """
    try:
        return float(text.strip().removeprefix("$"))
    except ValueError:
        raise OptionError(f"{BUDGET} must be dollars such as 0.40, not {text!r}") from None
