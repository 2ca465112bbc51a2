"""Declared limits, as the row of a job holds them: JSON, a list for each. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec

from lightwork.errors import UsageError
from lightwork.model import Limit
from lightwork.store.tables.limits import QUEUE_KEY


class Declared(msgspec.Struct, array_like=True, frozen=True):
    """One limit: `cap` jobs run at once; `rate` tokens come in a second, `burst` are kept at most; 0: any."""

    key: str
    cap: int
    rate: float
    burst: float


def limits_text(limits: Sequence[Limit]) -> str | None:
    """Return limits as a job's row holds them.

    Raises:
        UsageError: Two of them have one key, or one has that of a queue.
    """
    if not limits:
        return None
    if len({one.key for one in limits}) < len(limits):
        raise UsageError(f"each limit of a job has a key of its own; seen: {limits!r:.300}")
    if any(one.key.startswith(QUEUE_KEY) for one in limits):
        raise UsageError(f"a limit of a job has no key of a queue's; seen: {limits!r:.300}")
    found = [[one.key, one.running, one.rate / one.per, _burst_of(one)] for one in limits]
    return msgspec.json.encode(found).decode()


def read_limits(stored: Any) -> list[Declared]:
    """Return the limits of a row; of a damaged one none."""
    try:
        return msgspec.json.decode(stored, type=list[Declared])
    except (TypeError, ValueError):
        return []


def _burst_of(limit: Limit) -> float:
    if limit.burst or not limit.rate:
        return float(limit.burst)
    return max(1.0, limit.rate / limit.per)
