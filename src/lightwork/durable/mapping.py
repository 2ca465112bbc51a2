"""Mapping: the jobs of one map, kept batch by batch.

An input that has a length is kept whole before `map` returns: read or not, and
whatever happens to this program, its jobs are in the store. Only the first of them
have futures then; of the others their ids are remembered, 16 bytes each, and a
future is made when it is their turn to be read, or at the end of the executor: what
was mapped can be read after that. An input without a length, or one with a
`buffersize`, is taken and kept as its results are read.
"""

import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

from lightwork.codec import Codec, Subject
from lightwork.durable.futures import DurableFuture, JobFutures
from lightwork.durable.jobs import KeyedJobs
from lightwork.errors import StoreError
from lightwork.model import NewJob
from lightwork.pool.inputs import Inputs
from lightwork.pool.map_options import MapOptions, WhenFailed
from lightwork.pool.open_maps import OpenMaps
from lightwork.pool.progress import Listener
from lightwork.pool.results import Results
from lightwork.pool.travel import tell_of_item
from lightwork.tasks import Task, short_name
from lightwork.work.collect import collect

T = TypeVar("T")

log = logging.getLogger(__name__)

# Jobs that map submits in one transaction, and holds unfinished by default.
BATCH: Final = 1000
AHEAD: Final = 10_000


class KeptMap:
    """The jobs of one map: new ones first, then those that are kept and have no future yet.

    Args:
        futures: Of the executor.
        task: What every job runs.
        jobs: Made of the input as they are taken.
        on_progress: Told what each reports.
        failed: What to do with those that have failed before, under their key.
    """

    def __init__(
        self,
        futures: JobFutures,
        task: Task[..., Any],
        jobs: Iterator[NewJob],
        on_progress: Listener | None,
        *,
        failed: WhenFailed,
    ) -> None:
        self._futures = futures
        self._task = task
        self._jobs = jobs
        self._on_progress = on_progress
        self._failed = failed
        # How many futures were made.
        self._made = 0
        self._ids = bytearray()
        self._at = 0
        self.submit_rest: Callable[[], object] = lambda: None

    def take(self, count: int) -> list[NewJob] | list[Subject]:
        """Return the next ones, at most so many."""
        if jobs := list(itertools.islice(self._jobs, count)):
            return jobs
        first, self._at = self._at, min(self._at + 16 * count, len(self._ids))
        ids = (bytes(self._ids[at : at + 16]) for at in range(first, self._at, 16))
        return [Subject(UUID(bytes=one), self._task.name) for one in ids]

    def submit(self, ones: list[NewJob] | list[Subject]) -> list[DurableFuture[Any]]:
        """Return the futures of what was taken, which is kept then."""
        listeners = self._listeners(len(ones))
        jobs = [one for one in ones if isinstance(one, NewJob)]
        if jobs:
            return self._futures.submit(self._task, jobs, listeners, failed=self._failed)
        subjects = [one for one in ones if isinstance(one, Subject)]
        return self._futures.attach(self._task, subjects, listeners)

    def _listeners(self, count: int) -> list[Listener]:
        first, self._made = self._made, self._made + count
        if self._on_progress is None:
            return []
        return [partial(tell_of_item, self._on_progress, first + at) for at in range(count)]

    def keep_rest(self) -> None:
        """Keep every job of the input now."""
        while jobs := list(itertools.islice(self._jobs, BATCH)):
            self._futures.keep(jobs, failed=self._failed)
            for job in jobs:
                self._ids += job.id.bytes

    def has_rest(self) -> bool:
        """Whether there are jobs without a future."""
        return self._at < len(self._ids)

    def cancel_rest(self) -> None:
        """Cancel those of them that have not begun; take nothing more of the input."""
        self._jobs = iter(())
        while subjects := self.take(BATCH):
            self._futures.cancel_waiting(one.job_id for one in subjects if isinstance(one, Subject))

    def wait_for_rest(self) -> None:
        """Make the futures of those that can still be read; wait until the others are run."""
        self.submit_rest()
        while ones := self.take(AHEAD):
            self.submit(ones)
            self._futures.join()


def map_jobs(
    futures: JobFutures,
    codec: Codec,
    task: Task[..., T],
    inputs: Inputs,
    *,
    options: MapOptions,
    maps: OpenMaps,
    is_closed: Callable[[], bool],
    check_running: Callable[[], None],
) -> tuple[Results[T], KeptMap]:
    """Make a job of each call and return the results; see DurableExecutor.map."""
    keyed, kwargs = KeyedJobs(codec, task, options.key), dict(options.kwargs or {})
    jobs = (keyed.make(args, kwargs) for args in inputs.items)
    kept = KeptMap(
        futures, task, jobs, options.on_progress or task.on_progress, failed=options.failed
    )
    taken, is_exhausted, token = 0, False, object()

    def take(count: int) -> list[Any]:
        nonlocal taken, is_exhausted
        taken += len(items := kept.take(count))
        is_exhausted = len(items) < count
        return items

    def abandon(unwanted: list[DurableFuture[Any]]) -> None:
        if options.key is None and not is_closed():
            _cancel_unwanted(futures, unwanted, kept)

    results, kept.submit_rest = collect(
        take,
        kept.submit,
        options,
        ahead=options.buffersize or AHEAD,
        batch=BATCH,
        abandon=abandon,
        remind=lambda future: future.tell_why(),
        note_read=lambda: maps.note_read(token),
        check_running=check_running,
        name=short_name(task.name),
    )
    if not inputs.is_whole:
        if not is_exhausted and taken < inputs.length:
            maps.note_unread(token, taken)
        return results, kept
    try:
        kept.keep_rest()
    except BaseException:
        results.close()
        raise
    return results, kept


def _cancel_unwanted(
    futures: JobFutures, unwanted: list[DurableFuture[Any]], kept: KeptMap
) -> None:
    # The collector may drop a map in any thread: in the one that writes, waiting
    # for a write would never end.
    if threading.current_thread().name.startswith("lightwork-"):
        return
    try:
        futures.cancel_waiting(future.job_id for future in unwanted)
        kept.cancel_rest()
    except StoreError as error:
        # They will be run although nobody looks at the results.
        log.warning("map_not_cancelled error=%s", error)
