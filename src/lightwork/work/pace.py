"""Pace: how many jobs a worker claims. Pure.

Claiming one by one costs a transaction for every job; claiming far ahead keeps
jobs from other workers and, if this worker dies, counts a crash for each. So a
worker holds what its slots can run now, plus what they will have run within
AHEAD_SECONDS: nothing when jobs are long, hundreds when they take microseconds.
"""

from typing import Final

AHEAD_SECONDS: Final = 0.05
HELD_MAX: Final = 1000
# Weight of the newest duration in the running mean.
_WEIGHT: Final = 0.1
# How long a chore may keep others from writing, and the batches that it may choose.
CHORE_SECONDS: Final = 0.01
CHORE_LEAST: Final = 50
CHORE_MOST: Final = 4000


def held_target(slots: int, mean_seconds: float) -> int:
    """Return how many jobs to hold; a negative mean is not known yet."""
    if mean_seconds < 0:
        return slots
    ahead = slots * AHEAD_SECONDS / max(mean_seconds, 1e-6)
    return min(slots + int(ahead), max(HELD_MAX, slots))


def claim_limit(slots: int, held: int, mean_seconds: float) -> int:
    """Return how many jobs to claim now; 0: enough are held."""
    target = held_target(slots, mean_seconds)
    if held >= slots and held > target // 2:
        # Wait until a whole batch can be claimed at once.
        return 0
    return max(target - held, 0)


def next_mean(mean_seconds: float, seconds: float) -> float:
    """Return the running mean with one more duration in it."""
    if mean_seconds < 0:
        return seconds
    return mean_seconds + _WEIGHT * (seconds - mean_seconds)


def next_batch(limit: int, seconds: float) -> int:
    """Return how many rows a chore takes next, after `limit` of them took so long."""
    wanted = limit * CHORE_SECONDS / max(seconds, 1e-6)
    # By halves and doubles: one slow disk access must not decide.
    near = min(max(wanted, limit / 2), limit * 2)
    return min(max(int(near), CHORE_LEAST), CHORE_MOST)
