"""Collect: yields results of futures as a map does: lazily, in order or as they come."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from lightwork.errors import JobCancelled
from lightwork.pool.mapping import MapOptions

AnyFuture = Future[Any]
F = TypeVar("F", bound=AnyFuture)


def collect(
    take_more: Callable[[int], list[F]],
    options: MapOptions,
    *,
    ahead: int,
    batch: int,
    abandon: Callable[[list[F]], None],
) -> Iterator[Any]:
    """Yield None once the first futures were taken, then each result.

    Args:
        take_more: Returns at most so many more futures; none: there are no more.
        options: Order, errors and deadline.
        ahead: How many futures may be unfinished or not yet yielded.
        batch: How many are taken at a time, where there is room for so many.
        abandon: Told at an early end which futures nobody will look at any more.
    """
    deadline = None if options.timeout is None else time.monotonic() + options.timeout
    batch = min(batch, ahead)
    done: SimpleQueue[F] = SimpleQueue()
    held: dict[F, None] = {}
    is_over = False

    def fill() -> None:
        nonlocal is_over
        while not is_over and ahead - len(held) >= batch:
            futures = take_more(batch)
            is_over = not futures
            held.update(dict.fromkeys(futures))
            for future in futures:
                if options.ordered:
                    done.put(future)
                else:
                    # typeshed: the callback is given a Future, here always an F.
                    future.add_done_callback(done.put)  # type: ignore[arg-type]

    fill()
    # Dropped here, unused, it leaves running what was submitted, like every map.
    yield None
    try:
        while held:
            future = _take(done, deadline)
            value = _value(future, options, deadline)
            # Nothing here may keep a result that was yielded.
            del held[future], future
            yield value
            del value
            fill()
    finally:
        if unwanted := [future for future in held if not future.done()]:
            abandon(unwanted)


def _take(done: SimpleQueue[F], deadline: float | None) -> F:
    try:
        return done.get(timeout=_left(deadline))
    except Empty:
        raise TimeoutError from None


def _value(future: AnyFuture, options: MapOptions, deadline: float | None) -> Any:
    try:
        error = future.exception(timeout=_left(deadline))
    except CancelledError:
        error = JobCancelled("the job was cancelled", job_id=str(getattr(future, "job_id", "")))
    if error is None:
        return future.result()
    if options.errors == "return":
        return error
    raise error


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(deadline - time.monotonic(), 0.0)
