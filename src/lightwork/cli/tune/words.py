"""Words: figures as people read them. Pure."""

from typing import Final

_TIMES: Final = ((1.0, 1.0, "s"), (1e-3, 1e3, "ms"), (1e-6, 1e6, "µs"), (0.0, 1e9, "ns"))


def seconds_(seconds: float) -> str:
    """Return a duration with three figures in the unit that fits."""
    for least, factor, unit in _TIMES:
        if seconds >= least * 0.9995:
            return f"{_three(seconds * factor)} {unit}"
    return "0 ns"


def bytes_(size: int) -> str:
    """Return a size; decimal units."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor * 0.9995:
            return f"{_three(size / factor)} {unit}"
    return f"{size} bytes"


def times(ratio: float) -> str:
    """Return a ratio such as 1.9x."""
    if ratio < 0.1:
        return f"{float(f'{ratio:.1g}'):f}".rstrip("0").rstrip(".") + "x"
    return f"{_three(ratio)}x" if ratio >= 10 else f"{ratio:.1f}x"


def percent(share: float) -> str:
    """Return a share of 1."""
    return f"{share * 100:.1f} %" if 0 < share < 0.0095 else f"{share * 100:.0f} %"


def count(number: int, noun: str) -> str:
    """Return "1 item", "2 items"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _three(number: float) -> str:
    if number >= 99.95:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 9.995 else f"{number:.2f}"
