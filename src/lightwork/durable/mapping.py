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
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

from lightwork.codec import Codec, Subject
from lightwork.durable.collect import collect
from lightwork.durable.control import JobControl
from lightwork.durable.delivery_thread import Delivery
from lightwork.durable.future import DurableFuture
from lightwork.durable.job_futures import JobFutures
from lightwork.durable.jobs import BATCH, KeyedJobs
from lightwork.durable.options import SubmitOptions
from lightwork.errors import StoreError
from lightwork.model import NewJob
from lightwork.pool.map.batcher import tell_of_item
from lightwork.pool.map.inputs import Inputs
from lightwork.pool.map.open_maps import OpenMaps
from lightwork.pool.map.options import MapOptions
from lightwork.pool.map.results import Results
from lightwork.tasks.names import short_name
from lightwork.tasks.task import Task

T = TypeVar("T")

log = logging.getLogger(__name__)

# Jobs that a map holds unfinished by default.
AHEAD: Final = 10_000


class JobMaps:
    """Runs the maps of one executor.

    Args:
        futures: Of the executor.
        control: Has jobs cancelled that nobody wants any more.
        codec: Writes arguments.
        delivery: Cancels what is left, where nobody may wait for that.
        check_running: Raises if no outcome can come any more.
    """

    def __init__(
        self,
        futures: JobFutures,
        control: JobControl,
        codec: Codec,
        delivery: Delivery,
        check_running: Callable[[], None],
    ) -> None:
        self._futures = futures
        self._control = control
        self._codec = codec
        self._delivery = delivery
        self._check_running = check_running
        self._is_closed = False
        # Those of more jobs than have futures.
        self._kept: list[KeptMap] = []

    def run(
        self, task: Task[..., T], inputs: Inputs, options: MapOptions, maps: OpenMaps
    ) -> Results[T]:
        """Make a job of each call and return the results; see DurableExecutor.map."""
        self._delivery.start()
        keyed, kwargs = KeyedJobs(self._codec, task, options.key), dict(options.kwargs or {})
        jobs = (keyed.make(args, kwargs) for args in inputs.items)
        kept = KeptMap(self._futures, self._control, task, jobs, options)
        taken, is_exhausted, token = 0, False, object()

        def take(count: int) -> list[Any]:
            nonlocal taken, is_exhausted
            taken += len(items := kept.take(count))
            is_exhausted = len(items) < count
            return items

        def abandon(unwanted: list[DurableFuture[Any]]) -> None:
            if options.key is None and not self._is_closed:
                self._cancel_unwanted(unwanted, kept)

        def abandon_soon(unwanted: list[DurableFuture[Any]]) -> None:
            if options.key is None and not self._is_closed:
                self._delivery.give(partial(self._cancel_unwanted, unwanted, kept))

        results, kept.submit_rest = collect(
            take,
            kept.submit,
            options,
            ahead=options.buffersize or AHEAD,
            batch=BATCH,
            abandon=abandon,
            abandon_soon=abandon_soon,
            remind=lambda future: future.tell_why(),
            waited_for=lambda future: future.waited_for(),
            note_read=lambda: maps.note_read(token),
            check_running=self._check_running,
            name=short_name(task.name),
        )
        if inputs.is_whole:
            self._keep_whole(kept, results)
        elif not is_exhausted and taken < inputs.length:
            maps.note_unread(token, taken)
        return results

    def _keep_whole(self, kept: "KeptMap", results: Results[Any]) -> None:
        try:
            kept.keep_rest()
        except BaseException:
            results.close()
            raise
        self._kept = [one for one in (*self._kept, kept) if one.has_rest()]

    def _cancel_unwanted(self, unwanted: list[DurableFuture[Any]], kept: "KeptMap") -> None:
        try:
            self._control.cancel_waiting(future.job_id for future in unwanted)
            kept.cancel_rest()
        except StoreError as error:
            # They will be run although nobody looks at the results.
            log.warning("map_not_cancelled error=%s", error)

    def close(self) -> None:
        """From now on a map that is left cancels nothing: its jobs are to be run, or all cancelled."""
        self._is_closed = True

    def cancel_rest(self) -> None:
        """Cancel what has not begun of the jobs without a future; make those of what can be read."""
        for kept in self._kept:
            kept.submit_rest()
            kept.cancel_rest()

    def wait_for_rest(self) -> None:
        """Return when every job without a future is run, or has one that can be read."""
        for kept in self._kept:
            kept.wait_for_rest()


class KeptMap:
    """The jobs of one map: new ones first, then those that are kept and have no future yet.

    Args:
        futures: Of the executor.
        control: Has them cancelled.
        task: What every job runs.
        jobs: Made of the input as they are taken.
        options: Who is told what each reports, and what to do with those that have failed before.
    """

    def __init__(
        self,
        futures: JobFutures,
        control: JobControl,
        task: Task[..., Any],
        jobs: Iterator[NewJob],
        options: MapOptions,
    ) -> None:
        self._futures = futures
        self._control = control
        self._task = task
        self._jobs = jobs
        self._on_progress = options.on_progress or task.on_progress
        self._options = SubmitOptions(key=options.key, failed=options.failed)
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
        options = self._options_of_next(len(ones))
        jobs = [one for one in ones if isinstance(one, NewJob)]
        if jobs:
            return self._futures.submit(self._task, jobs, options)
        subjects = [one for one in ones if isinstance(one, Subject)]
        return self._futures.attach(self._task, subjects, options)

    def _options_of_next(self, count: int) -> SubmitOptions:
        first, self._made = self._made, self._made + count
        heard = self._on_progress
        if heard is None:
            return self._options
        listeners = [partial(tell_of_item, heard, first + at) for at in range(count)]
        return replace(self._options, listeners=listeners)

    def keep_rest(self) -> None:
        """Keep every job of the input now."""
        while jobs := list(itertools.islice(self._jobs, BATCH)):
            for job_id in self._futures.keep(jobs, self._options):
                self._ids += job_id.bytes

    def has_rest(self) -> bool:
        """Whether there are jobs without a future."""
        return self._at < len(self._ids)

    def cancel_rest(self) -> None:
        """Cancel those of them that have not begun; take nothing more of the input."""
        self._jobs = iter(())
        while subjects := self.take(BATCH):
            self._control.cancel_waiting(one.job_id for one in subjects if isinstance(one, Subject))

    def wait_for_rest(self) -> None:
        """Make the futures of those that can still be read; wait until the others are run."""
        self.submit_rest()
        while ones := self.take(AHEAD):
            self.submit(ones)
            self._futures.join()
