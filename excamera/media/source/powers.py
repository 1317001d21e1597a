"""Powers and exponentials that are the same numbers on every machine.

Libraries of mathematics round the last bits in their own ways, and some use other instructions on
other processors. Here are sums, products and quotients of float64 only, one at a time; IEEE 754
says what each of these gives. The relative error is below 1e-13.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_LN2 = 0.6931471805599453
_ROOT_HALF = 0.7071067811865476
_LOG_TERMS = 12  # of 1 + s^2/3 + s^4/5 + ..., with s below 0.172
_EXP_TERMS = 15  # of 1 + z + z^2/2 + ..., with z below 0.347


def power(base: Numbers, exponent: float) -> Numbers:
    """Numbers of at least 0 to some power above 0."""
    is_zero = base == 0
    found = _exp2(_log2(np.where(is_zero, 1.0, base)) * exponent)
    return np.where(is_zero, 0.0, found)


def exp(values: Numbers) -> Numbers:
    """The exponentials of numbers."""
    return _exp2(values / _LN2)


def _log2(values: Numbers) -> Numbers:
    mantissa, places = np.frexp(values)
    low = mantissa < _ROOT_HALF
    mantissa = np.where(low, mantissa * 2, mantissa)
    s = (mantissa - 1) / (mantissa + 1)
    square = s * s
    total = np.zeros_like(s)
    for term in reversed(range(_LOG_TERMS)):
        total = total * square + 1 / (2 * term + 1)
    found: Numbers = np.where(low, places - 1, places) + (2 * s) * total / _LN2
    return found


def _exp2(values: Numbers) -> Numbers:
    whole = np.rint(values)
    z = (values - whole) * _LN2
    total = np.ones_like(z)
    for term in reversed(range(1, _EXP_TERMS)):
        total = total * z / term + 1
    found: Numbers = np.ldexp(total, whole.astype(np.int64))
    return found
