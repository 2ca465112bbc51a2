"""Job calls: inputs as jobs of a store, run by workers here or anywhere.

Each input's job is found again by the key of the map and its values (equal
inputs: the first, the second ...), so the same command line, started again,
takes what has an outcome from the store and runs only the rest.
"""

from collections import Counter
from concurrent.futures import wait
from typing import Any

from lightwork.durable.executor import DurableExecutor
from lightwork.durable.future import DurableFuture
from lightwork.model import State
from lightwork.parallel.calls import AnyFuture, FunctionCalls
from lightwork.parallel.jobs import MapJob
from lightwork.parallel.sources import Values
from lightwork.tasks.task import Task
from lightwork.terminal.values import read_value


class JobCalls(FunctionCalls):
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
        self._jobs = DurableExecutor(url, workers=slots)
        super().__init__(task, self._jobs, name=task.name)
        self._task = task
        self._key = key
        self._again = again
        self._equal: Counter[Values] = Counter()

    @property
    def has_workers(self) -> bool:
        """Whether anybody, here or elsewhere, claims jobs of the store."""
        return bool(self._jobs.store.summary().live_workers)

    def submit(self, job: MapJob) -> AnyFuture:
        """Keep the job, or find the one that was kept before."""
        self._equal[job.values] += 1
        args = tuple(map(read_value, job.values))
        key = f"{self._key}/{self._equal[job.values]}"
        (future,) = self._jobs.submit_many(self._task, [args], key=key)
        return self._run_again(future) if self._again else future

    def abandon(self, futures: list[AnyFuture]) -> None:
        """Leave the jobs to the store; those that run here are handed back to it."""
        del futures
        self._jobs.__exit__(KeyboardInterrupt, None, None)

    def _run_again(self, future: DurableFuture[Any]) -> DurableFuture[Any]:
        store, job_id = self._jobs.store, future.job_id
        if store.states([job_id]).get(job_id) not in self._again:
            return future
        # Its old outcome must be heard first, or it would be taken for the new one.
        wait([future])
        store.retry([job_id])
        return self._jobs.future(job_id)
