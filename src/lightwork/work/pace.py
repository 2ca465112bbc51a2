"""Pace: how many jobs a worker claims, and when it gives some back. Pure.

Claiming one by one costs a transaction for every job; claiming far ahead keeps
jobs from other workers. So a worker holds what its slots can run now, plus what
they will have run within AHEAD_SECONDS: nothing when jobs are long, hundreds when
they take microseconds.

It may be wrong: the next job is an hour long, and perhaps waits for one of those
that wait behind it. So a worker that has seen no job end for QUIET_SECONDS hands
back what waits, and else what has waited for LATE_SECONDS: others run it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

T = TypeVar("T")

AHEAD_SECONDS: Final = 0.05
# While nothing ends for so long, nothing is held ahead.
QUIET_SECONDS: Final = 0.1
# What has waited for so long goes back although others end: twenty times what was planned.
# Not told by the mean: on a busy machine one no-op in a hundred takes as long as a hundred.
LATE_SECONDS: Final = 1.0
HELD_MAX: Final = 1000
# Of longer jobs the 50 us that a call of the pool costs are not felt.
SHORT_SECONDS: Final = 0.001
# What ends in a bundle is recorded when the bundle has ended.
BUNDLE_SECONDS: Final = 0.01
BUNDLE_MAX: Final = 500
# Weight of the newest duration in the running mean.
_WEIGHT: Final = 0.1
# How long a batch of upkeep may keep others from writing, and the rows that it may have.
BATCH_SECONDS: Final = 0.01
BATCH_LEAST: Final = 50
BATCH_MOST: Final = 4000


def held_target(slots: int, mean_seconds: float, quiet_seconds: float = 0.0) -> int:
    """Return how many jobs to hold.

    Args:
        slots: How many run at a time.
        mean_seconds: How long jobs have taken lately; negative: not known yet.
        quiet_seconds: For how long jobs have been held and none has ended.
    """
    if mean_seconds < 0 or quiet_seconds >= QUIET_SECONDS:
        return slots
    ahead = slots * AHEAD_SECONDS / max(mean_seconds, 1e-6)
    return min(slots + int(ahead), max(HELD_MAX, slots))


def claim_limit(slots: int, held: int, mean_seconds: float, quiet_seconds: float = 0.0) -> int:
    """Return how many jobs to claim now; 0: enough are held."""
    target = held_target(slots, mean_seconds, quiet_seconds)
    if held >= slots and held > target // 2:
        # Wait until a whole batch can be claimed at once.
        return 0
    return max(target - held, 0)


def free_slots(slots: int, held: int, limit: int) -> int:
    """Return how many of the jobs that are claimed now can begin at once."""
    return min(max(slots - held, 0), limit)


def bundle_size(slots: int, mean_seconds: float, waiting: int) -> int:
    """Return how many of the jobs that are claimed ahead go to the pool as one call; 1: each by itself.

    Args:
        slots: How many run at a time; each gets two bundles, or the last would run alone.
        mean_seconds: How long jobs have taken lately; negative: not known yet.
        waiting: How many are claimed ahead.
    """
    if not 0 <= mean_seconds <= SHORT_SECONDS:
        return 1
    share = -(-waiting // (2 * slots))
    return max(min(share, int(BUNDLE_SECONDS / max(mean_seconds, 1e-6)), BUNDLE_MAX), 1)


def patience(quiet_seconds: float) -> float:
    """Return how long a job that has not begun is kept before it is handed back."""
    return 0.0 if quiet_seconds >= QUIET_SECONDS else LATE_SECONDS


def next_mean(mean_seconds: float, seconds: float, jobs: int = 1) -> float:
    """Return the running mean with more durations in it, of so many jobs.

    They count as their mean, whichever came last: one that was preempted among hundreds says little.
    """
    if not jobs:
        return mean_seconds
    if mean_seconds < 0:
        return seconds / jobs
    return mean_seconds + (1 - (1 - _WEIGHT) ** jobs) * (seconds / jobs - mean_seconds)


def next_batch(limit: int, seconds: float) -> int:
    """Return how many rows a batch of upkeep takes next, after `limit` of them took so long."""
    wanted = limit * BATCH_SECONDS / max(seconds, 1e-6)
    # By halves and doubles: one slow disk access must not decide.
    near = min(max(wanted, limit / 2), limit * 2)
    return min(max(int(near), BATCH_LEAST), BATCH_MOST)


def groups_of(
    items: Sequence[T], single: int, size: int, goes_with: Callable[[T, T], bool]
) -> Iterator[Sequence[T]]:
    """Yield the items in their order: so many by themselves, of the rest neighbours together.

    Args:
        items: All.
        single: How many of the first are alone.
        size: How many a group may have.
        goes_with: Whether two may be in one group.
    """
    first = 0
    while first < len(items):
        end = first + 1
        if first >= single:
            most = min(first + size, len(items))
            while end < most and goes_with(items[first], items[end]):
                end += 1
        yield items[first:end]
        first = end
