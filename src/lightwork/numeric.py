"""Numeric: what counts as a number where a number is asked for.

One place, so that every argument means the same: an int and whatever Python takes
as an index (`numpy.int64(2)` too), but no bool, which is mostly a slip of position.
Callers raise their own errors: they know the argument's name and its bounds.
"""

import operator
import re
from typing import Any, Final

from lightwork.errors import UsageError

# Bytes: more than fits into the integers of databases.
SIZE_LIMIT: Final = 2**63
_UNITS: Final = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


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
    # Only for foreign numbers, such as those of numpy or fractions.
    import numbers  # noqa: PLC0415 - see above

    is_real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return float(value) if is_real else None  # type: ignore[arg-type]


def parse_size(size: int | str) -> int:
    """Return bytes for a number or for text such as "512M" or "1.5 GiB".

    Raises:
        UsageError: It is neither.
    """
    number = as_int(size)
    if number is not None and 0 <= number < SIZE_LIMIT:
        return number
    # Twelve digits of terabytes are beyond any machine; hundreds would overflow a float.
    form = r"\s*(\d{1,12}(?:\.\d{1,9})?)\s*([KMGT]?)(?:i?B)?\s*"
    found = re.fullmatch(form, str(size), re.IGNORECASE)
    if not isinstance(size, str) or found is None:
        raise UsageError(f'a size is a number of bytes or text such as "512M"; seen: {size!r}')
    return int(float(found[1]) * _UNITS[found[2].upper()])
