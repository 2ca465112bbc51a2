"""Retention: how long jobs are kept that have ended, as people type it. Pure."""

import dataclasses
import math
from typing import Final

from lightwork.model import Retention
from lightwork.terminal.amounts import parse_duration

_FINAL: Final = tuple(known.name for known in dataclasses.fields(Retention))


def parse_retention(text: str) -> Retention:
    """Return what "30d" (of all), "forever" or "failed=90d,succeeded=1h" mean; the rest by default.

    Raises:
        ValueError: It means none.
    """
    if "=" not in text:
        return Retention.all(_age(text))
    ages: dict[str, float] = {}
    for part in text.split(","):
        state, _, age = map(str.strip, part.partition("="))
        if state not in _FINAL:
            raise ValueError(f"{state!r} is not one of {', '.join(_FINAL)}")
        ages[state] = _age(age)
    return Retention(**ages)


def _age(text: str) -> float:
    return math.inf if text.strip() == "forever" else parse_duration(text)


def retention_text(keep: Retention) -> str:
    """Return what `parse_retention` reads as this."""
    return ",".join(f"{state}={_age_text(getattr(keep, state))}" for state in _FINAL)


def _age_text(seconds: float) -> str:
    return "forever" if seconds == math.inf else f"{seconds:f}s"
