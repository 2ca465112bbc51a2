"""Calls: how a map runs one job, and the first way: as a call of a function on an executor."""

import shlex
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from lightwork.clock import monotonic
from lightwork.error_text import trace_of
from lightwork.parallel.jobs import End, MapJob, Output
from lightwork.pool.call.future import Future as LightworkFuture
from lightwork.pool.executor.executor import Executor
from lightwork.terminal.values import read_value, show_value

AnyFuture = Future[Any]


class Calls(Protocol):
    """What a JobLoop needs of whatever runs its jobs."""

    def start(self, job: MapJob) -> AnyFuture:
        """Start it, now or when there is room."""

    def end(self, job: MapJob, future: AnyFuture) -> End:
        """Return how it ended.

        Raises:
            CancelledError: It was cancelled.
        """

    def cancel(self, future: AnyFuture, *, kill: bool) -> None:
        """Cancel it if it has not started, or end it."""

    def abandon(self, futures: list[AnyFuture]) -> None:
        """End what runs: the map is over before it."""

    def close(self) -> None:
        """Return when nothing runs here any more."""


class FunctionCalls:
    """Calls of a function on an executor.

    Args:
        fn: The function.
        executor: What runs them; it is closed with them.
        name: How the function is shown.
    """

    def __init__(self, fn: Callable[..., Any], executor: Executor, *, name: str) -> None:
        self._fn = fn
        self._executor = executor
        self._name = name
        self._started: dict[AnyFuture, tuple[float, float]] = {}

    def start(self, job: MapJob) -> AnyFuture:
        """Start it when the executor has room."""
        started = time.time(), monotonic()
        future = self.submit(job)
        self._started[future] = started
        return future

    def submit(self, job: MapJob) -> AnyFuture:
        """Hand it to the executor."""
        return self._executor.submit(self._fn, *map(read_value, job.values))

    def end(self, job: MapJob, future: AnyFuture) -> End:
        """Return how it ended; its time counts from when it was submitted."""
        started_at, start = self._started.pop(future)
        error = future.exception()
        result = None if error is not None else future.result()
        return End(
            job=job,
            command=shlex.join([self._name, *job.values]),
            status=0 if error is None else 1,
            started_at=started_at,
            seconds=monotonic() - start,
            stdout=Output(show_value(result)),
            error="" if error is None else trace_of(error).rstrip(),
            result=result,
        )

    def cancel(self, future: AnyFuture, *, kill: bool) -> None:
        """Cancel it; in a child it is killed, in a thread it is asked to stop."""
        assert isinstance(future, LightworkFuture)
        future.cancel(running="kill" if kill else "no")

    def abandon(self, futures: list[AnyFuture]) -> None:
        """Kill the children; threads end when their call does."""
        del futures
        self._executor.kill_workers()

    def close(self) -> None:
        """Wait for the executor."""
        self._executor.shutdown(wait=True)
