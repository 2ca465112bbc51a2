"""Mapping: the jobs of one map, kept batch by batch as their results are read."""

import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from lightwork.codec import Codec
from lightwork.durable.futures import DurableFuture, JobFutures, WhenFailed
from lightwork.durable.jobs import KeyedJobs
from lightwork.errors import StoreError
from lightwork.pool.map_options import MapOptions
from lightwork.pool.results import Results
from lightwork.tasks import Task
from lightwork.work.collect import collect

T = TypeVar("T")

log = logging.getLogger(__name__)

# Jobs that map submits in one transaction, and holds unfinished by default.
_BATCH: Final = 1000
_AHEAD: Final = 10_000


def map_jobs(
    futures: JobFutures,
    codec: Codec,
    task: Task[..., T],
    calls: Iterator[tuple[Any, ...]],
    *,
    options: MapOptions,
    key: str | None,
    failed: WhenFailed,
    is_closed: Callable[[], bool],
) -> Results[T]:
    """Make a job of each call and return the results; see DurableExecutor.map."""
    keyed = KeyedJobs(codec, task, key)
    kwargs = dict(options.kwargs or {})
    jobs = (keyed.make(args, kwargs) for args in calls)

    def abandon(unwanted: list[DurableFuture[Any]]) -> None:
        if key is None and not is_closed():
            _cancel_unwanted(futures, unwanted)

    return collect(
        lambda count: list(itertools.islice(jobs, count)),
        lambda batch: futures.submit(task, batch, failed=failed),
        options,
        ahead=options.buffersize or _AHEAD,
        batch=_BATCH,
        abandon=abandon,
        remind=lambda future: future.tell_why(),
    )


def _cancel_unwanted(futures: JobFutures, unwanted: list[DurableFuture[Any]]) -> None:
    # The collector may drop a map in any thread: in the one that writes, waiting
    # for a write would never end.
    if threading.current_thread().name.startswith("lightwork-"):
        return
    try:
        futures.cancel_waiting(future.job_id for future in unwanted)
    except StoreError as error:
        # They will be run although nobody looks at the results.
        log.warning("map_not_cancelled error=%s", error)
