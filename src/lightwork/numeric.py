"""Numeric: what counts as a number where a number is asked for.

One place, so that every argument means the same: an int and whatever Python takes
as an index (`numpy.int64(2)` too), but no bool, which is mostly a slip of position.
Callers raise their own errors: they know the argument's name and its bounds.
"""

import numbers
import operator
from typing import Any


def as_int(value: object) -> int | None:
    """Return the whole number as a plain int; None: it is none."""
    if type(value) is int:
        return value
    if isinstance(value, bool):
        return None
    index: Any = value  # Whether it is one, operator.index finds out.
    try:
        return operator.index(index)
    except TypeError:
        return None


def as_number(value: object) -> float | None:
    """Return the number as a plain int or float; None: it is none."""
    if type(value) is float:
        return value
    whole = as_int(value)
    if whole is not None:
        return whole
    is_real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return float(value) if is_real else None  # type: ignore[arg-type]
