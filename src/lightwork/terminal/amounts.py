"""Amounts: durations, sizes, shares and counts, as people type and read them. Pure."""

import re
from typing import Final

LONGEST: Final = 1e9
_DURATION: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*(ms|[smhd]?)", re.ASCII)
_SECONDS: Final = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)([kmgtpKMGTP]?)")
_POWERS: Final = "kmgtp"
_TIMES: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_SIZES: Final = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def parse_duration(text: str) -> float:
    """Return the seconds that "30s", "1.5h", "7d" or a plain number of seconds mean.

    Raises:
        ValueError: It means none, or more than 1e9 seconds.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a duration; expected one such as 30s, 10m, 2h, 7d")
    seconds = float(found[1]) * _SECONDS[found[2]]
    if seconds > LONGEST:
        raise ValueError(f"{text!r} is longer than 1e9 seconds")
    return seconds


def parse_size(text: str) -> int:
    """Return the bytes of "300k" (of 1000) or "1M" (of 1024 * 1024), as GNU parallel has them.

    Raises:
        ValueError: It is no size.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError("expected a size such as 500k, 1M or 2G")
    unit = 1000 if found[2].islower() else 1024
    power = _POWERS.index(found[2].lower()) + 1 if found[2] else 0
    return int(float(found[1]) * unit**power)


def show_duration(seconds: float) -> str:
    """Return how long something takes, in the unit that people would choose."""
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


def show_time(seconds: float) -> str:
    """Return a measured time with three figures."""
    unit, name = next((unit for unit in _TIMES if seconds >= unit[0] * 0.9995), _TIMES[-1])
    return f"{_three(seconds / unit)} {name}"


def show_size(size: int) -> str:
    """Return a number of bytes with three figures, in decimal units."""
    for unit, name in _SIZES:
        if size >= unit * 0.9995:
            return f"{_three(size / unit)} {name}"
    return f"{size} bytes"


def show_ratio(ratio: float) -> str:
    """Return how many times as much, such as 1.9x."""
    if ratio < 0.1:
        return f"{float(f'{ratio:.1g}'):f}".rstrip("0").rstrip(".") + "x"
    return f"{_three(ratio)}x" if ratio >= 10 else f"{ratio:.1f}x"


def show_share(share: float) -> str:
    """Return a share of 1 in percent."""
    return f"{share * 100:.1f} %" if 0 < share < 0.0095 else f"{share * 100:.0f} %"


def show_count(number: int, noun: str) -> str:
    """Return "1 item", "2 items"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _three(number: float) -> str:
    if number >= 99.95:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 9.995 else f"{number:.2f}"
