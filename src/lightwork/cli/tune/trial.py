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
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from lightwork.cli.tune.figures import Run, Setup
from lightwork.cli.tune.inchild import answer, try_once
from lightwork.cli.tune.system import cpu_of, own_cpu, private_memory, wait_of, wait_of_thread
from lightwork.cli.tune.target import Target
from lightwork.pool.choose import open_pool
from lightwork.pool.executor import Executor

# A call long enough that another worker must take the next one.
_HOLD: Final = 0.01
# Waiting for a worker that does not come up tells nothing more.
_WARM_SECONDS: Final = 3.0
# A slower function is not called just to warm up.
_QUICK: Final = 0.05
# How often a map looks at the clock.
_STEPS: Final = 100
# The prefix by which a thread that cannot be ended is found; see command.py.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What to run.

    Attributes:
        setup: How.
        items: How many.
        item_seconds: What an item takes inline, as far as known.
        inline_seconds: What it took in the inline run to compare with.
        seconds_max: When a map is ended early.
    """

    setup: Setup
    items: int
    item_seconds: float
    inline_seconds: float
    seconds_max: float


def run_trial(trial: Trial, target: Target) -> Run:
    """Run it and return what it took.

    Raises:
        RaisedOnInput: The function raised, inline.
        TrialError: It did so in the pool, or the pool could not give a result.
        Exception: The pool could not be opened.
    """
    values = target.take(trial.items)
    if trial.setup.kind == "inline":
        return _run_inline(target, values)
    with _opened(trial.setup) as pool:
        start = _first_answers(pool, trial, target)
        pids = _warm(pool, trial, target)
        return _run_pool(pool, trial, target, values, start=start, pids=pids)


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


def _run_inline(target: Target, values: list[Any]) -> Run:
    call = target.call if target.is_async else target.fn
    position = 0
    cpu, waited, started = own_cpu(), wait_of_thread(), time.perf_counter()
    try:
        for value in values:
            call(value)
            position += 1  # The same loop as over the results of a pool.
    except (Exception, SystemExit) as error:
        raise target.blame(position, error) from error
    seconds = max(time.perf_counter() - started, 1e-9)
    return Run(
        items=len(values),
        seconds=seconds,
        speedup=1.0,
        cpu=own_cpu() - cpu,
        waited=min((wait_of_thread() - waited) / seconds, 1.0),
    )


def _first_answers(pool: Executor, trial: Trial, target: Target) -> float:
    started = time.perf_counter()
    for future in [pool.submit(answer, target.fn, 0.0) for _ in range(trial.setup.workers)]:
        future.result()
    return time.perf_counter() - started


def _warm(pool: Executor, trial: Trial, target: Target) -> list[int]:
    """Wait until every worker has answered; return the ids of the child processes."""
    workers = range(trial.setup.workers)
    seen: set[tuple[int, int]] = set()
    deadline = time.perf_counter() + _WARM_SECONDS
    while len(seen) < len(workers) and time.perf_counter() < deadline:
        calls = [pool.submit(answer, target.fn, _HOLD) for _ in workers]
        if trial.item_seconds < _QUICK and not target.is_async:
            tries = [pool.submit(try_once, target.fn, target.items[0]) for _ in workers]
            for tried in tries:
                # What goes wrong here goes wrong in the map, too, and is told there.
                with contextlib.suppress(Exception):
                    tried.result()
        seen |= {call.result() for call in calls}
    return sorted({pid for pid, _ in seen} - {os.getpid()})


def _run_pool(
    pool: Executor,
    trial: Trial,
    target: Target,
    values: list[Any],
    *,
    start: float,
    pids: list[int],
) -> Run:
    position, step = 0, max(len(values) // _STEPS, 1)
    cpu, waited, started = own_cpu() + cpu_of(pids), wait_of(pids), time.perf_counter()
    deadline = started + trial.seconds_max
    results = pool.map(target.fn, values, chunksize=trial.setup.chunksize)
    try:
        while position < len(values) and (not position or time.perf_counter() < deadline):
            for _ in islice(results, step):
                position += 1  # enumerate would hold the last result
    except (Exception, SystemExit) as error:
        raise TrialError(position, error) from error
    seconds = max(time.perf_counter() - started, 1e-9)
    run = Run(
        items=position,
        seconds=seconds,
        speedup=trial.inline_seconds * position / seconds,
        cpu=own_cpu() + cpu_of(pids) - cpu,
        waited=min((wait_of(pids) - waited) / seconds / max(len(pids), 1), 1.0),
        start=start,
        memory=max(map(private_memory, pids), default=0),
    )
    results.close()
    return run
