"""Together: the same from many threads at once, with what they raised."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

# Long enough for a busy machine: a test that gets there has failed.
PATIENCE = 60.0


def together(count: int, act: Callable[[int], T]) -> list[T]:
    """Call `act(number)` in so many threads; return what they returned."""
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(act, number) for number in range(count)]
        return [future.result(PATIENCE) for future in futures]


@contextmanager
def beside(act: Callable[[], T]) -> Iterator[Future[T]]:
    """Call `act` in a thread while the block runs; wait for its end."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(act)
        yield future
        future.result(PATIENCE)
