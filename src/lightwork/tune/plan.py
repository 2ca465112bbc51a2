"""Plan: which setups are measured, with how many items, and what comes next. Pure.

The time is split between two stages: first the pools with growing numbers of
workers, then chunk sizes on the pool that won. Within a stage one round after the
other is run as long as there is time; a run that would not fit is left out of its
round, so a slow function gets fewer setups, not more time. In the first round the
setups that tell most come first.
"""

import math
from dataclasses import dataclass
from typing import Final

from lightwork.tune.figures import INLINE, Measurements, Setup, fastest

# Of the time; the rest is for chunk sizes.
SCALING_SHARE: Final = 0.72
ROUNDS_WANTED: Final = 3
ROUNDS_MAX: Final = 7
CHUNK_SIZES: Final = (1, 10, 100)
# More items than this make no figure better and only hold memory.
ITEMS_MAX: Final = 500_000
# A shorter run measures the clock, the scheduler and the first chunk.
SHORTEST_RUN: Final = 0.05
# Opening a pool and warming it, assumed before it was seen.
START_ASSUMED: Final = 0.1
# What one call of a process pool costs at most, assumed likewise.
CALL_ASSUMED: Final = 60e-6
# Longer chunks gain nothing: "auto" aims at no longer ones either.
CHUNK_WORTHY: Final = 0.02
WAITING_WORKERS_MAX: Final = 32
FEW_WAVES: Final = 8
# An inline run may take this share of its stage; else the first calls must do for it.
INLINE_SHARE: Final = 0.15


@dataclass(frozen=True, slots=True)
class Cost:
    """What things take, in seconds, as far as is known.

    Attributes:
        inline: One item, without a pool.
        travel: One item on its way to a child and back.
        start: A pool of processes, until it is warm.
        is_waiting: Whether the CPU works less than half of the inline time.
    """

    inline: float
    travel: float = 0.0
    start: float = START_ASSUMED
    is_waiting: bool = False


def scaling_setups(cpus: int, *, is_waiting: bool, has_processes: bool) -> list[Setup]:
    """Return inline and both pools at 1, 2, 4 ... workers; what tells most comes first.

    Args:
        cpus: How many this process may use.
        is_waiting: Whether more workers than CPUs make sense.
        has_processes: Whether the items can travel to a child.
    """
    counts = _doubling(cpus)
    more = [2 * cpus] if is_waiting else []
    while is_waiting and 2 * more[-1] <= WAITING_WORKERS_MAX:
        more.append(2 * more[-1])
    setups = [Setup("threads", count) for count in counts + more]
    if has_processes:
        setups += [Setup("processes", count) for count in counts + more[:1]]
    likely = "threads" if is_waiting else "processes"
    # All CPUs first, then the most workers, one worker last.
    setups.sort(
        key=lambda setup: (
            setup.workers != cpus,
            setup.workers == 1,
            -setup.workers,
            setup.kind != likely,
        )
    )
    return [INLINE, *setups]


def async_setups(cpus: int, *, has_processes: bool) -> list[Setup]:
    """Return inline, one event loop beside the threads, and one in each of 1, 2, 4 ... children.

    More threads than one change nothing: their loop is one.
    """
    counts = reversed(_doubling(cpus)) if has_processes else ()
    return [INLINE, Setup("threads", 1), *(Setup("processes", count) for count in counts)]


def _doubling(cpus: int) -> list[int]:
    return [*(2**power for power in range(cpus.bit_length()) if 2**power < cpus), cpus]


def chunk_setups(found: Measurements, cost: Cost) -> list[Setup]:
    """Return the chunk sizes to compare, on the process pool that won; none if pointless."""
    best = fastest(found.rows_of("processes"))
    item = cost.inline + cost.travel
    sizes = [size for size in CHUNK_SIZES if size * item < CHUNK_WORTHY]
    if best is None or len(sizes) < 2:
        return []
    workers = best.setup.workers
    return [INLINE, best.setup, *(Setup("processes", workers, size) for size in sizes)]


def items_per_run(cost: Cost, *, setups: int, time_left: float) -> int:
    """Return how many items each setup gets, so that the wanted rounds fit."""
    runs = max(setups, 1) * ROUNDS_WANTED
    seconds = max(time_left / runs - cost.start / 2, SHORTEST_RUN)
    fitting = int(seconds / max(cost.inline + cost.travel, 1e-8))
    return max(1, min(fitting, ITEMS_MAX))


def items_for(setup: Setup, items: int, cost: Cost) -> int:
    """Return how many items this setup gets.

    Fewer if its chunks are costly; whole waves if they are few, because a worker
    without work would look like a lack of speed.
    """
    if setup.chunksize == "auto":
        waves = math.ceil(items / setup.workers)
        return waves * setup.workers if waves < FEW_WAVES else items
    dearer = CALL_ASSUMED / setup.chunksize / max(cost.inline, 1e-8)
    # Enough for several chunks a worker, else they cannot be spread.
    least = 4 * setup.chunksize * setup.workers
    return max(math.ceil(items / (1 + dearer)), least)


def expected_seconds(setup: Setup, items: int, cost: Cost) -> float:
    """Return how long a run may take that was never tried.

    No gain is assumed from more workers, except where they only wait.
    """
    if setup.kind == "inline":
        return items * cost.inline
    chunksize = 100 if setup.chunksize == "auto" else setup.chunksize
    at_once = min(setup.workers, items) if cost.is_waiting else 1
    work = items * cost.inline / at_once + items / chunksize * CALL_ASSUMED
    return work + (cost.start + items * cost.travel if setup.kind == "processes" else 0.0)


def order_of_round(setups: list[Setup], number: int) -> list[Setup]:
    """Return the setups of a round: inline first, the others each time from another start."""
    first = [setup for setup in setups if setup == INLINE]
    rest = [setup for setup in setups if setup != INLINE]
    turn = number * max(len(rest) // ROUNDS_WANTED, 1) % max(len(rest), 1)
    return [*first, *rest[turn:], *rest[:turn]]
