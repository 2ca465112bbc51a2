"""Trial: one run of one setup over some items, in a pool of its own.

    open ─ first calls (start) ─ warm ─┬─ map ─┬─ look at the children ─ close
                                       └ clock ┘

Every worker answers a call before the clock starts: it has imported the function's
module, and called the function if that is quick. A map that takes far longer than
was planned is ended early; what it did until then is the run.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from lightwork.pool.executor.executor import Executor
from lightwork.pool.open_pool import open_pool
from lightwork.tune.figures import Run, Setup
from lightwork.tune.inchild import answer
from lightwork.tune.system import Clock, private_memory
from lightwork.tune.target import Target

# A call long enough that another worker must take the next one.
_HOLD: Final = 0.01
# Waiting for a worker that does not come up tells nothing more.
_WARM_SECONDS: Final = 3.0
# A slower function is not called just to warm up.
_QUICK: Final = 0.05
# How often a map looks at the clock.
_STEPS: Final = 100
# The prefix by which a thread that cannot be ended is found; see cli/tune.py.
THREADS: Final = "lightwork-tune"


class TrialError(Exception):
    """A map ended early.

    Attributes:
        position: Of the item that has no result.
        error: What was raised in its place.
    """

    def __init__(self, position: int, error: BaseException) -> None:
        super().__init__(position, error)
        self.position = position
        self.error = error


def run_trial(
    setup: Setup, target: Target, *, items: int, inline_seconds: float, seconds_max: float
) -> Run:
    """Run it and return what it took.

    Args:
        setup: How.
        target: What is run.
        items: Over how many items.
        inline_seconds: What an item took in the inline run to compare with.
        seconds_max: When a map is ended early.

    Raises:
        TrialError: The function raised, or the pool could not give a result.
        Exception: The pool could not be opened.
    """
    values = target.take(items)
    if setup.kind == "inline":
        clock = Clock()
        call = target.call if target.is_async else target.fn
        done = _take(map(call, values), len(values), clock, float("inf"))
        return Run(done, *clock.read(), speedup=1.0)
    with _opened(setup) as pool:
        clock = Clock()
        for future in [pool.submit(answer, target.fn, 0.0) for _ in range(setup.workers)]:
            future.result()
        start = clock.elapsed
        is_quick = inline_seconds < _QUICK and not target.is_async
        pids = _warm(pool, setup.workers, target, calls=is_quick)
        clock = Clock(pids)
        results = pool.map(target.fn, values, chunksize=setup.chunksize)
        done = _take(results, len(values), clock, seconds_max)
        spent = clock.read()
        memory = max(map(private_memory, pids), default=0)
        results.close()
    speedup = inline_seconds * done / spent.seconds
    return Run(done, *spent, speedup=speedup, start=start, memory=memory)


@contextlib.contextmanager
def _opened(setup: Setup) -> Iterator[Executor]:
    options = {"thread_name_prefix": THREADS} if setup.kind == "threads" else {}
    pool = open_pool(setup.where, **options)
    try:
        yield pool
    except BaseException:
        # Ctrl-C or an error: nobody wants to wait for what still runs.
        pool.kill_workers()
        raise
    pool.shutdown()


def _warm(pool: Executor, workers: int, target: Target, *, calls: bool) -> list[int]:
    """Wait until every worker has answered; return the ids of the child processes."""
    tried = target.items[:1] if calls else ()
    seen: set[tuple[int, int]] = set()
    deadline = time.perf_counter() + _WARM_SECONDS
    while len(seen) < workers and time.perf_counter() < deadline:
        answers = [pool.submit(answer, target.fn, _HOLD, *tried) for _ in range(workers)]
        seen |= {future.result() for future in answers}
    return sorted({pid for pid, _ in seen} - {os.getpid()})


def _take(results: Iterator[Any], count: int, clock: Clock, seconds_max: float) -> int:
    """Take results, at least one, until all are there or the time is over; return how many."""
    position, step = 0, max(count // _STEPS, 1)
    try:
        while position < count and (not position or clock.elapsed < seconds_max):
            for _ in islice(results, step):
                position += 1  # enumerate would hold the last result
    except (Exception, SystemExit) as error:
        raise TrialError(position, error) from error
    return position
