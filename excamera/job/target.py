"""What a job is to reach in place of a `crf`: a rate, a size, or a quality."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from excamera.errors import OptionError

CRF = "crf"
BITRATE, SIZE, SSIM, PSNR = KINDS = ("bitrate", "size", "target_ssim", "target_psnr")
"""The options, by the API's names. At most one of them and `crf` is given."""

BITRATE_FORM = "kbit/s such as 2000, or bits with a unit such as 2M"
SIZE_FORM = "bytes, or with a unit such as 700M (k, M, G: powers of 1000)"
SSIM_FORM = "dB such as 15, or a share below 1 such as 0.97"
PSNR_FORM = "dB such as 40"

MISSED_RATE, MISSED_DB = 0.03, 0.3
"""By how much a result may miss a rate or size, as a share, and a quality, without a note."""

_NUMBER = re.compile(r"(\d+(?:\.\d+)?)([kMG]?)", re.ASCII | re.IGNORECASE)
_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
_LEAST_KBIT_S, _MOST_KBIT_S = 1.0, 10_000_000.0
_LEAST_BYTES, _MOST_BYTES = 1000.0, 1e14
_LEAST_SSIM_DB, _MOST_SSIM_DB = 1.0, 40.0
_LEAST_PSNR_DB, _MOST_PSNR_DB = 10.0, 70.0


def parse_bitrate(text: str) -> float:
    """The bits of a second of the picture, in kbit/s; without a unit they are thousands.

    Raises:
        OptionError: it is none.
    """
    number, unit = _parts("bitrate", text, BITRATE_FORM)
    kbit_s = number * _UNITS[unit] / 1000 if unit else number
    return _within("bitrate", kbit_s, _LEAST_KBIT_S, _MOST_KBIT_S, "kbit/s")


def parse_size(text: str) -> float:
    """The size of the whole file with its sound, in bytes.

    Raises:
        OptionError: it is none.
    """
    number, unit = _parts("size", text, SIZE_FORM)
    return _within("size", number * _UNITS[unit], _LEAST_BYTES, _MOST_BYTES, "bytes")


def parse_ssim(text: str) -> float:
    """The mean SSIM of the luma in dB, -10 log10(1 - SSIM); what is below 1 is SSIM itself.

    Raises:
        OptionError: it is none.
    """
    # The same formula as in `excamera.media.quality`, which needs numpy.
    number = _plain("target-ssim", text, SSIM_FORM)
    db = number if number >= 1 else to_db(1 - number)
    return _within("target-ssim", db, _LEAST_SSIM_DB, _MOST_SSIM_DB, "dB")


def parse_psnr(text: str) -> float:
    """The PSNR of the luma, in dB.

    Raises:
        OptionError: it is none.
    """
    number = _plain("target-psnr", text, PSNR_FORM)
    return _within("target-psnr", number, _LEAST_PSNR_DB, _MOST_PSNR_DB, "dB")


def to_db(loss: float) -> float:
    """A loss as decibels: 1 - SSIM, or an error's square as a share of the largest one's."""
    return -10 * math.log10(loss) if loss > 0 else math.inf


_PARSERS: Mapping[str, Callable[[str], float]] = {
    BITRATE: parse_bitrate,
    SIZE: parse_size,
    SSIM: parse_ssim,
    PSNR: parse_psnr,
}


@dataclass(frozen=True, slots=True)
class Target:
    """What a result is to reach.

    Attributes:
        kind: one of `KINDS`.
        wanted: kbit/s of the picture, bytes of the file, or dB of the luma.
    """

    kind: str
    wanted: float

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> Self | None:
        """The target among options, by the API's names; None if all of them are "".

        Raises:
            OptionError: there are several.
        """
        found = [kind for kind in KINDS if texts[kind]]
        refuse_several(found)
        return cls(found[0], _PARSERS[found[0]](texts[found[0]])) if found else None

    @property
    def is_quality(self) -> bool:
        """Whether it is a quality, and not a rate or size."""
        return self.kind in (SSIM, PSNR)


@dataclass(frozen=True, slots=True)
class Reached:
    """What has become of a job's target.

    Attributes:
        kind: of the target, one of `KINDS`.
        wanted: as `Target.wanted`.
        reached: the same of the result.
        by: how it is known: "result", counted in it; "samples", measured on encodes of samples of
            the film, at about the quality that it got.
    """

    kind: str
    wanted: float
    reached: float
    by: str

    @property
    def is_met(self) -> bool:
        """Whether the result is as near as users are promised."""
        if self.kind in (SSIM, PSNR):
            return abs(self.reached - self.wanted) <= MISSED_DB
        return abs(self.reached / self.wanted - 1) <= MISSED_RATE

    @property
    def text(self) -> str:
        """What users are told, such as "bitrate 1,987 of 2,000 kbit/s (-0.7%)"."""
        if self.kind in (SSIM, PSNR):
            name = {SSIM: "SSIM", PSNR: "PSNR"}[self.kind]
            return (
                f"{name} of luma {self.reached:.2f} of {self.wanted:.2f} dB "
                f"({self.reached - self.wanted:+.2f} dB), measured on samples"
            )
        unit = {BITRATE: "kbit/s", SIZE: "bytes"}[self.kind]
        change = 100 * (self.reached / self.wanted - 1)
        places = 1 if self.wanted < 100 else 0
        return (
            f"{self.kind} {self.reached:,.{places}f} of {self.wanted:,.{places}f} {unit} "
            f"({change:+.1f}%)"
        )

    def to_json(self) -> dict[str, Any]:
        """It as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Self | None:
        """What `to_json` returned, or None."""
        return None if data is None else cls(**data)


def refuse_several(given: list[str]) -> None:
    """Refuse more than one of `crf` and `KINDS`, by the API's names.

    Raises:
        OptionError: there are several.
    """
    if len(given) > 1:
        names = " and ".join(one.replace("_", "-") for one in given)
        raise OptionError(f"{names} exclude each other: give one of them")


def _parts(name: str, text: str, form: str) -> tuple[float, str]:
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        raise OptionError(f"{name} must be {form}, not {text!r}")
    return float(found[1]), found[2].lower()


def _plain(name: str, text: str, form: str) -> float:
    number, unit = _parts(name, text, form)
    if unit:
        raise OptionError(f"{name} must be {form}, not {text!r}")
    return number


def _within(name: str, value: float, least: float, most: float, unit: str) -> float:
    if not least <= value <= most:
        raise OptionError(f"{name} must be {least:,.0f} to {most:,.0f} {unit}, not {value:,g}")
    return value
