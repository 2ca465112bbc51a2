"""Time-outs mean what `threading` and `queue` say, at every reach."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf, nan
from typing import Any

import pytest

import lightwork as lw
from sync.together import PATIENCE, beside

Waits = dict[str, Callable[[Any], object]]
TOO_LONG = threading.TIMEOUT_MAX * 2


@contextmanager
def waits(where: str) -> Iterator[Waits]:
    """Return all that takes a time-out, each of which would wait."""
    lock, condition, barrier = (
        lw.Lock(where=where),
        lw.Condition(where=where),
        lw.Barrier(2, where=where),
    )
    full: lw.Queue[int] = lw.Queue(1, where=where)
    full.put(1)
    with lock, condition:
        yield {
            "Lock.acquire": lambda timeout: lock.acquire(timeout=timeout),
            "Semaphore.acquire": lambda timeout: lw.Semaphore(0, where=where).acquire(
                timeout=timeout
            ),
            "Event.wait": lw.Event(where=where).wait,
            "Condition.wait": condition.wait,
            "Condition.wait_for": lambda timeout: condition.wait_for(lambda: False, timeout),
            "Barrier.wait": barrier.wait,
            "Queue.get": lambda timeout: lw.Queue(where=where).get(timeout=timeout),
            "Queue.put": lambda timeout: full.put(2, timeout=timeout),
            "Queue.join": full.join,
        }


@pytest.mark.parametrize(
    ("timeout", "error"),
    [(nan, ValueError), (inf, OverflowError), (TOO_LONG, OverflowError), ("1", TypeError)],
)
def test_what_is_no_time_is_refused(where: str, timeout: object, error: type[Exception]) -> None:
    with waits(where) as all_of_them:
        for wait in all_of_them.values():
            with pytest.raises(error):
                wait(timeout)


def test_what_is_negative_is_over_or_wrong_as_the_standard_library_has_it(where: str) -> None:
    with waits(where) as all_of_them:
        for name in ("Lock.acquire", "Queue.get", "Queue.put"):
            with pytest.raises(ValueError, match="non-negative"):
                all_of_them[name](-0.5)
        for name in ("Semaphore.acquire", "Event.wait", "Condition.wait", "Condition.wait_for"):
            assert all_of_them[name](-0.5) is False
        with pytest.raises(threading.BrokenBarrierError):
            all_of_them["Barrier.wait"](-0.5)


def test_false_is_no_time_at_all(where: str) -> None:
    with waits(where) as all_of_them:
        assert all_of_them["Lock.acquire"](False) is False
        assert all_of_them["Event.wait"](False) is False


def test_the_longest_time_is_waited(where: str) -> None:
    event = lw.Event(where=where)

    with beside(lambda: event.wait(threading.TIMEOUT_MAX)) as waiting:
        event.set()
        assert waiting.result(PATIENCE) is True
