"""What a future asks of the store about its job, while workers do what they do."""

import uuid
from collections.abc import Callable, Iterable
from typing import Any, cast

import pytest

from face.jobs import square
from lightwork.durable.executor import DurableExecutor
from lightwork.model import Lane, State, WorkerInfo
from lightwork.store.contract import Store


class _ClaimsMeanwhile:
    """A store in which a worker claims every job right after somebody has looked at states."""

    def __init__(self, store: Store, worker: WorkerInfo) -> None:
        self._store = store
        self._worker = worker
        store.register(worker, lease=60)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def states(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, State]:
        states = self._store.states(job_ids)
        lanes = [Lane("default", job.task) for job in self._store.jobs()]
        self._store.claim(self._worker.id, lanes=lanes, limit=100)
        return states


@pytest.mark.parametrize(
    "cancel",
    [
        lambda executor, future: future.cancel(),
        lambda executor, future: executor.shutdown(cancel_futures=True),
    ],
    ids=["cancel", "shutdown"],
)
def test_whoever_spares_running_jobs_never_asks_one_to_stop(
    url: str, cancel: Callable[..., object]
) -> None:
    worker = WorkerInfo(id=uuid.uuid4(), name="other", host="host", pid=1, slots=100)
    with DurableExecutor(url) as observer, DurableExecutor(url) as executor:
        claiming = cast("Store", _ClaimsMeanwhile(executor.store, worker))
        executor.store = executor._futures._store = executor._control._store = claiming
        future = executor.submit(square, 2)

        cancel(executor, future)

        assert observer.store.cancel_requests(worker.id) == []
