"""Times: durations and ages, as people type and read them. Pure."""

import re
from typing import Final

LONGEST: Final = 1e9
_UNITS: Final = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_FORM: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*(ms|[smhd]?)", re.ASCII)


def parse_duration(text: str) -> float:
    """Return the seconds that "30s", "1.5h", "7d" or a plain number of seconds mean.

    Raises:
        ValueError: It means none, or more than 1e9 seconds.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a duration; expected one such as 30s, 10m, 2h, 7d")
    seconds = float(found[1]) * _UNITS[found[2]]
    if seconds > LONGEST:
        raise ValueError(f"{text!r} is longer than 1e9 seconds")
    return seconds


def show_duration(seconds: float) -> str:
    """Return a duration in the unit that people would choose."""
    if seconds < 0.9995:
        return f"{max(seconds, 0.0) * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} m"
    return f"{whole // 86400} d {whole % 86400 // 3600:02} h"
