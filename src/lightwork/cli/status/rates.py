"""Rates: how much has been done in the last minutes, and how fast. Pure.

From the roll-ups of the workers, which write every five seconds: what has happened since then is
not in it.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from lightwork.store.histogram import quantile
from lightwork.store.views import History

MINUTES: Final = 5
_MINUTE: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What has happened in the last `seconds`; a minute that has no ends yet does not count.

    Attributes:
        done: Jobs that ended a minute, however.
        failed: Those that failed.
        lost: Attempts that died with their child or worker, or a minute.
        run_p50: Seconds that half of the attempts ran at most; 0: none has ended.
        wait_p50: Seconds that half of the jobs were due before they were claimed.
    """

    seconds: float
    done: float
    failed: float
    lost: float
    run_p50: float
    run_p95: float
    wait_p50: float
    wait_p95: float


def rates_of(history: History) -> Rates:
    """Return the rates of a history."""
    now = history.until.timestamp()
    first = min((one.minute for one in history.rollups), default=now // _MINUTE)
    # Less than ten seconds would make a storm of a single job.
    seconds = max(now - first * _MINUTE, 10.0)
    ends: Counter[str] = Counter()
    spread: dict[str, Counter[int]] = {"run": Counter(), "wait": Counter()}
    for one in history.rollups:
        if one.measure in spread:
            spread[one.measure][one.bucket] += one.jobs
        else:
            ends[one.measure] += one.jobs
    per_minute = _MINUTE / seconds
    return Rates(
        seconds=round(seconds, 1),
        done=round((ends["succeeded"] + ends["failed"] + ends["cancelled"]) * per_minute, 2),
        failed=round(ends["failed"] * per_minute, 2),
        lost=round(ends["lost"] * per_minute, 2),
        run_p50=round(quantile(spread["run"], 0.5), 6),
        run_p95=round(quantile(spread["run"], 0.95), 6),
        wait_p50=round(quantile(spread["wait"], 0.5), 6),
        wait_p95=round(quantile(spread["wait"], 0.95), 6),
    )
