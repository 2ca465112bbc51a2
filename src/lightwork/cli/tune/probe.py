"""Probe: small measurements around the first calls: who holds the GIL, what pickling costs.

The GIL is sampled, not guessed: a thread sleeps for a moment and looks how late it
runs again. Late means that somebody held the GIL at that instant, so the share of
late wake-ups is the share of time in which it is held. It costs the function one
switch in two milliseconds. What the machine adds by itself is sampled before, with
nobody running, and taken off; so is the time in which the thread had no CPU.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from types import TracebackType
from typing import Any, Final, Self

from lightwork.cli.tune.figures import FirstCalls, Pickling
from lightwork.cli.tune.system import own_cpu, wait_of_thread
from lightwork.cli.tune.target import Target
from lightwork.pool.pace import approximate_size
from lightwork.pool.pickling import dump, load

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


class GilSampler:
    """Samples in a thread, while it is entered, whether the GIL is held by others."""

    def __init__(self) -> None:
        self._lags: list[float] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        quiet = [_lag_of_nap() for _ in range(_QUIET_NAPS)]
        self._late = max(_LATE, 3 * median(quiet))
        self._noise = sum(lag > self._late for lag in quiet) / len(quiet)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()

    @property
    def share(self) -> float | None:
        """Share of the time in which the GIL was held; None: too few samples."""
        if len(self._lags) < _SAMPLES_MIN:
            return None
        seen = sum(lag > self._late for lag in self._lags) / len(self._lags)
        return max(seen - self._noise, 0.0) / max(1 - self._noise, 0.1)

    def _sample(self) -> None:
        while not self._is_over.is_set():
            self._lags.append(_lag_of_nap())


def _lag_of_nap() -> float:
    # Waiting for a CPU is not waiting for the GIL.
    waited, started = wait_of_thread(), time.perf_counter()
    time.sleep(_NAP)
    elapsed = time.perf_counter() - started
    return elapsed - _NAP - (wait_of_thread() - waited)


def first_calls(target: Target, seconds: float, keep: Callable[[FirstCalls], None]) -> list[Any]:
    """Call the function inline for so long, at least once; return some results.

    Args:
        target: What is measured.
        seconds: How long; a call that has begun is finished.
        keep: Is told what is known, also when a later call is interrupted.

    Raises:
        RaisedOnInput: The function raised.
    """
    with GilSampler() as sampler:
        clock = _Clock()
        results = [_call(target, 0)]
        first = clock.calls(1)
    first = _with_gil(first, sampler.share)
    keep(first)
    if first.first > seconds:
        return results
    # The first call may be slow for reasons of its own: it does not count from here.
    sampler, count, kept = GilSampler(), 0, 0
    with sampler:
        clock = _Clock()
        # On a crowded machine the sampler seldom gets a turn.
        while (
            count == 0
            or (elapsed := clock.elapsed()) < seconds
            or (sampler.share is None and elapsed < _PATIENCE * seconds)
        ):
            count += 1
            result = _call(target, count)
            if len(results) < _PICKLED_MAX and kept < _KEPT_BYTES_MAX:
                kept += approximate_size(result)
                results.append(result)
        found = clock.calls(count)
    keep(replace(_with_gil(found, sampler.share), first=first.first))
    return results


def _with_gil(found: FirstCalls, share: float | None) -> FirstCalls:
    # After each sample the function needs a CPU before it can take the GIL again: on a
    # crowded machine the GIL is free meanwhile, which says nothing about the function.
    held = None if share is None else min(share / max(1 - found.waited, 0.1), 1.0)
    return replace(found, gil=held)


class _Clock:
    """Time, CPU time and time without a CPU, since it was made."""

    def __init__(self) -> None:
        self._cpu, self._waited = own_cpu(), wait_of_thread()
        self._started = time.perf_counter()

    def elapsed(self) -> float:
        """Return the seconds since then."""
        return time.perf_counter() - self._started

    def calls(self, count: int) -> FirstCalls:
        """Return what so many calls took."""
        elapsed = max(self.elapsed(), 1e-9)
        return FirstCalls(
            first=elapsed,
            seconds=elapsed / count,
            cpu=(own_cpu() - self._cpu) / count,
            waited=min((wait_of_thread() - self._waited) / elapsed, 1.0),
        )


def _call(target: Target, position: int) -> Any:
    try:
        return target.call(target.items[position % len(target.items)])
    except (Exception, SystemExit) as error:
        raise target.blame(position, error) from error


def pickling_of(target: Target, results: list[Any]) -> Pickling:
    """Pickle and load function, items and results as a pool would.

    Items are pickled together, as in a chunk: a million small ones travel that way.
    """
    items = target.items[: len(results)]
    try:
        _trip("the function", target.fn)
        argument_bytes, there = _mean_trip("an argument", items)
        result_bytes, back = _mean_trip("a result", results)
    except _CannotTravelError as problem:
        return Pickling(problem=str(problem))
    return Pickling(argument_bytes=argument_bytes, result_bytes=result_bytes, seconds=there + back)


class _CannotTravelError(Exception):
    """Pickling or loading raised."""


def _mean_trip(what: str, values: Any) -> tuple[int, float]:
    # One for its size: how many can be tried in the time.
    _, seconds = _trip(what, values[0])
    count = max(1, min(len(values), int(_PICKLING_SECONDS / max(seconds, 1e-6))))
    size, seconds = min((_trip(what, values[:count]) for _ in range(3)), key=lambda trip: trip[1])
    return size // count, seconds / count


def _trip(what: str, value: object) -> tuple[int, float]:
    started = time.perf_counter()
    try:
        data = dump(value)
        load(data)
    except Exception as error:
        # Whatever its own pickling raised: it is what a pool would meet.
        raise _CannotTravelError(f"{what} cannot be pickled: {_say(error)}") from error
    return len(data), time.perf_counter() - started


def _say(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
