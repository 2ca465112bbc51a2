"""Counts: how many children, threads or coroutines a user asks for, checked."""

from collections.abc import Callable

from lightwork.errors import UsageError
from lightwork.numeric import as_int


def check_max_workers(max_workers: int | None, default: Callable[[], int]) -> int:
    """Return the number of children or threads, by default what `default` says.

    Raises:
        UsageError: It is no such number.
    """
    number = default() if max_workers is None else as_int(max_workers)
    if number is None:
        raise UsageError(f"max_workers must be an integer; seen: {max_workers!r}")
    if number <= 0:
        raise UsageError(f"max_workers must be greater than 0; seen: {max_workers!r}")
    return number


def check_async_calls(count: object) -> int:
    """Return how many coroutine calls a loop may run at a time.

    Raises:
        UsageError: It is no such number.
    """
    number = as_int(count)
    if number is None or number < 1:
        raise UsageError(f"async_calls must be an integer of at least 1; seen: {count!r}")
    return number
