"""Probe: small measurements around the first calls: who holds the GIL, what pickling costs.

The GIL is sampled, not guessed: a thread sleeps for a moment and looks how late it
runs again. Late means that somebody held the GIL at that instant, so the share of
late wake-ups is the share of time in which it is held. It costs the function one
switch in two milliseconds. What the machine adds by itself is sampled before, with
nobody running, and taken off; so is the time in which the thread had no CPU.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from typing import Any, Final

from lightwork.pool.map.batch_size import approximate_size
from lightwork.pool.wire.pickling import dump, load
from lightwork.tune.figures import FirstCalls, Pickling
from lightwork.tune.system import Clock, Spent, wait_of_thread
from lightwork.tune.target import Target, say

_NAP: Final = 0.002
# Waking up takes a tenth of a millisecond; waiting for the GIL up to the switch interval, 5 ms.
_LATE: Final = 0.0003
_QUIET_NAPS: Final = 20
# Fewer samples say nothing.
_SAMPLES_MIN: Final = 8
# The first calls may last so many times as long until there are as many.
_PATIENCE: Final = 5
_PICKLED_MAX: Final = 64
_KEPT_BYTES_MAX: Final = 64 << 20
_PICKLING_SECONDS: Final = 0.1

# Share of the time in which the GIL was held; None: too few samples.
_Share = Callable[[], float | None]


def first_calls(target: Target, seconds: float, results: list[Any]) -> Iterator[FirstCalls]:
    """Call the function inline for so long, at least once; yield what is known by then.

    Args:
        target: What is measured.
        seconds: How long; a call that has begun is finished.
        results: Some of them are put there.

    Raises:
        RaisedOnInput: The function raised.
    """
    with _gil_sampled() as share:
        clock = Clock()
        results.append(_call(target, 0))
        first = _found(clock.read(), 1, share())
    yield first
    if first.first > seconds:
        return
    # The first call may be slow for reasons of its own: it does not count from here.
    count = kept = 0
    with _gil_sampled() as share:
        clock = Clock()
        # On a crowded machine the sampler seldom gets a turn.
        while (
            count == 0
            or clock.elapsed < seconds
            or (share() is None and clock.elapsed < _PATIENCE * seconds)
        ):
            count += 1
            result = _call(target, count)
            if len(results) < _PICKLED_MAX and kept < _KEPT_BYTES_MAX:
                kept += approximate_size(result)
                results.append(result)
        found = _found(clock.read(), count, share())
    yield replace(found, first=first.first)


def pickling_of(target: Target, results: Sequence[Any]) -> Pickling:
    """Pickle and load function, items and results as a pool would.

    Items are pickled together, as in a chunk: a million small ones travel that way.
    """
    items = target.items[: len(results)]
    trips: list[tuple[int, float]] = []
    travels = {"the function": [target.fn], "an argument": items, "a result": results}
    for what, values in travels.items():
        try:
            trips.append(_mean_trip(values))
        except Exception as error:
            # Whatever its own pickling raised: it is what a pool would meet.
            return Pickling(problem=f"{what} cannot be pickled: {say(error)}")
    _, there, back = trips
    return Pickling(argument_bytes=there[0], result_bytes=back[0], seconds=there[1] + back[1])


@contextmanager
def _gil_sampled() -> Iterator[_Share]:
    """Sample in a thread, inside the block, whether the GIL is held by others."""
    quiet = [_lag_of_nap() for _ in range(_QUIET_NAPS)]
    late = max(_LATE, 3 * median(quiet))
    noise = sum(lag > late for lag in quiet) / len(quiet)
    lags: list[float] = []
    is_over = threading.Event()

    def sample() -> None:
        while not is_over.is_set():
            lags.append(_lag_of_nap())

    def share() -> float | None:
        if len(lags) < _SAMPLES_MIN:
            return None
        seen = sum(lag > late for lag in lags) / len(lags)
        return max(seen - noise, 0.0) / max(1 - noise, 0.1)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield share
    finally:
        is_over.set()
        thread.join()


def _lag_of_nap() -> float:
    # Waiting for a CPU is not waiting for the GIL.
    waited, started = wait_of_thread(), time.perf_counter()
    time.sleep(_NAP)
    return time.perf_counter() - started - _NAP - (wait_of_thread() - waited)


def _found(spent: Spent, count: int, share: float | None) -> FirstCalls:
    # After each sample the function needs a CPU before it can take the GIL again: on a
    # crowded machine the GIL is free meanwhile, which says nothing about the function.
    held = None if share is None else min(share / max(1 - spent.waited, 0.1), 1.0)
    return FirstCalls(
        first=spent.seconds,
        seconds=spent.seconds / count,
        cpu=spent.cpu / count,
        gil=held,
        waited=spent.waited,
    )


def _call(target: Target, position: int) -> Any:
    try:
        return target.call(target.items[position % len(target.items)])
    except (Exception, SystemExit) as error:
        raise target.blame(position, error) from error


def _mean_trip(values: Sequence[Any]) -> tuple[int, float]:
    # One for its size: how many can be tried in the time.
    _, seconds = _trip(values[0])
    count = max(1, min(len(values), int(_PICKLING_SECONDS / max(seconds, 1e-6))))
    size, seconds = min((_trip(values[:count]) for _ in range(3)), key=lambda trip: trip[1])
    return size // count, seconds / count


def _trip(value: object) -> tuple[int, float]:
    started = time.perf_counter()
    data = dump(value)
    load(data)
    return len(data), time.perf_counter() - started
