"""Lost items: what is said of each of several items that a child had begun when it died."""

from collections.abc import Callable
from typing import Any

from lightwork import errors


def each_lost(error: BaseException, count: int, why: str) -> list[BaseException]:
    """Return an exception for each of so many items: each may be raised, and gets its own traceback."""
    # Its type: an error of the user may claim any class, or raise when asked for it.
    if count == 1 or not issubclass(type(error), errors.WorkerLost):
        return [error] * count
    lost: Any = error
    return [_one(lost, why) for _ in range(count)]


def _one(error: Any, why: str) -> BaseException:
    lost: Callable[..., BaseException] = errors.WorkerLost
    one = lost(
        f"{error}. {why}; with chunksize=1 a death costs the one item that runs.", **error.__dict__
    )
    one.__cause__ = error
    return one
