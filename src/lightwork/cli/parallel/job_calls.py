"""Job calls: inputs as jobs of a store, run by workers here or anywhere.

Each input's job is found again by the key of the map and its values (equal
inputs: the first, the second ...), so the same command line, started again,
takes what has an outcome from the store and runs only the rest.
"""

import shlex
import time
from collections import Counter
from concurrent.futures import wait
from typing import Any

from lightwork.cli.parallel.calls import AnyFuture, function_end
from lightwork.cli.parallel.jobs import End, MapJob
from lightwork.cli.parallel.sources import Values
from lightwork.cli.values import read_value
from lightwork.clock import monotonic
from lightwork.durable.executor import DurableExecutor
from lightwork.durable.futures import DurableFuture
from lightwork.model import State
from lightwork.tasks import Task


class JobCalls:
    """Jobs of a store.

    Args:
        task: What they run.
        url: The store.
        slots: How many are run here at a time; 0: workers elsewhere run them.
        key: Name of the map.
        again: States in which a job that exists is run again.
    """

    def __init__(
        self, task: Task[..., Any], *, url: str, slots: int, key: str, again: frozenset[State]
    ) -> None:
        self._task = task
        self._key = key
        self._again = again
        self._executor = DurableExecutor(url, workers=slots)
        self._equal: Counter[Values] = Counter()
        self._started: dict[AnyFuture, tuple[float, float]] = {}

    @property
    def has_workers(self) -> bool:
        """Whether anybody, here or elsewhere, claims jobs of the store."""
        return bool(self._executor.store.summary().live_workers)

    def describe(self, job: MapJob) -> str:
        """Return the task's name and its arguments."""
        return shlex.join([self._task.name, *job.values])

    def start(self, job: MapJob) -> AnyFuture:
        """Keep the job, or find the one that was kept before."""
        self._equal[job.values] += 1
        started = time.time(), monotonic()
        args = tuple(map(read_value, job.values))
        key = f"{self._key}/{self._equal[job.values]}"
        (future,) = self._executor.submit_many(self._task, [args], key=key)
        future = self._run_again(future) if self._again else future
        self._started[future] = started
        return future

    def end(self, job: MapJob, future: AnyFuture) -> End:
        """Return how it ended; its time counts from when it was submitted or found."""
        started_at, start = self._started.pop(future)
        return function_end(job, self.describe(job), future, (started_at, monotonic() - start))

    def cancel(self, future: AnyFuture, *, kill: bool) -> None:
        """Cancel the job."""
        assert isinstance(future, DurableFuture)
        future.cancel(running="kill" if kill else "no")

    def abandon(self, futures: list[AnyFuture]) -> None:
        """Leave the jobs to the store; those that run here are handed back to it."""
        del futures
        self._executor.__exit__(KeyboardInterrupt, None, None)

    def close(self) -> None:
        """Let go of the store."""
        self._executor.shutdown()

    def _run_again(self, future: DurableFuture[Any]) -> DurableFuture[Any]:
        store, job_id = self._executor.store, future.job_id
        if store.states([job_id]).get(job_id) not in self._again:
            return future
        # Its old outcome must be heard first, or it would be taken for the new one.
        wait([future])
        store.retry([job_id])
        return self._executor.future(job_id)
