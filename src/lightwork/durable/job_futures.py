"""Job futures: how a program hears of the outcomes of what it has submitted.

A future is registered before its job is kept: an outcome may be there before
`submit` returns. It is ended by whoever first hears of the outcome (the watch over
the store, the worker in this program, or a cancel), and by nobody else.
"""

import asyncio
import functools
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any, Final, NamedTuple
from uuid import UUID

from lightwork.bounds.payloads import check_payloads
from lightwork.clock import call_seconds_left
from lightwork.codec import Codec, Subject
from lightwork.durable.control import JobControl
from lightwork.durable.future import DurableFuture, KeptCall, uncollected
from lightwork.durable.jobs import BATCH, batches, check_known, known_calls
from lightwork.durable.options import PLAIN, SubmitOptions
from lightwork.durable.outcome_watch import Deliver, OutcomeWatch, job_failed
from lightwork.durable.waits.no_worker import Patience
from lightwork.errors import DuplicateJob, JobNotFound, StoreError
from lightwork.lifecycle import Failed, Quarantined
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.model import JobOutcome, NewJob, Progress, State
from lightwork.pool.call.future import bind, end_cancelled, note_progress, release
from lightwork.pool.call.reporter import Listener, tell
from lightwork.store.contract import Store
from lightwork.store.views import Hindrance
from lightwork.tasks.task import Task
from lightwork.work.acks import Ends

_NOTHING: Final = (0, b"")
log = logging.getLogger(__name__)

# Seconds in which a batch is packed and sent.
_TO_SEND: Final = 0.002
# Jobs whose progress is read at a time.
_ASKED: Final = 500


class _Batch(NamedTuple):
    """Jobs that are kept together.

    Attributes:
        made: Their futures, if they are kept while the next are taken.
        making: Ends the making of these; unmakes them if anything is raised.
    """

    jobs: list[NewJob]
    made: list[DurableFuture[Any]] | None
    making: ExitStack


class JobFutures:
    """The futures of one executor, and how each is ended.

    Args:
        store: Where the jobs are.
        codec: Reads results.
        watch: Brings the outcomes.
        control: What the futures ask of the store.
        is_served_here: Whether the worker of this program, if there is one, runs
            jobs of the task.
    """

    def __init__(
        self,
        store: Store,
        codec: Codec,
        watch: OutcomeWatch,
        control: JobControl,
        is_served_here: Callable[[Task[..., Any]], bool],
    ) -> None:
        self._store = store
        self._codec = codec
        self._is_served_here = is_served_here
        self._watch = watch
        self._control = control
        self._patience = Patience(store)
        # Jobs that only workers elsewhere run: not waited for at the end.
        self._elsewhere: set[UUID] = set()
        # What jobs with a future have raised here, packed, until that future is ended; by the
        # job, with the number of the attempt.
        self._errors: dict[UUID, tuple[int, bytes]] = {}
        # Who is told of progress, and of what they were told last; changed as a whole.
        self._listening: dict[DurableFuture[Any], Listener] = {}
        self._is_forked = False
        # One object for all futures.
        self._settles, self._tells = self._settle, self._patience.tell
        watch.on_look = self._look

    def submit(
        self,
        task: Task[..., Any],
        jobs: Sequence[NewJob],
        options: SubmitOptions = PLAIN,
    ) -> list[DurableFuture[Any]]:
        """Keep the jobs, all or none, and return their futures.

        Args:
            task: Of all of them.
            jobs: With ids; one that the store knows is not kept twice.
            options: Who listens to them, and what to do with those that have failed before.
        """
        # First: a future would hear at once of the outcome that is to be forgotten.
        standing = self._retry_failed(jobs, options)
        taken: dict[UUID, UUID] = {}
        known = known_calls(task)
        with self._made(task, jobs, options.listeners) as made:
            new = self._store.submit(jobs, taken=taken, known=known)
            check_known(self._codec, task, jobs, known)
        taken |= standing
        if not all(new):
            self._watch.look_now()
        return self._with_holders(task, made, taken) if taken else made

    async def submit_async(
        self,
        task: Task[..., Any],
        jobs: Sequence[NewJob],
        options: SubmitOptions = PLAIN,
    ) -> list[DurableFuture[Any]]:
        """Do the same without holding up the event loop."""
        standing: dict[UUID, UUID] = {}
        if options.failed == "retry":
            standing = await asyncio.to_thread(self._retry_failed, jobs, options)
        taken: dict[UUID, UUID] = {}
        known = known_calls(task)
        with self._made(task, jobs, options.listeners) as made:
            written = self._store.submit_nowait(jobs, taken=taken, known=known)
            try:
                new = await asyncio.wrap_future(written)
            except asyncio.CancelledError:
                if not written.cancel():
                    # Too late, and nobody will have the futures.
                    written.add_done_callback(functools.partial(self._control.take_back, jobs))
                raise
            check_known(self._codec, task, jobs, known)
        taken |= standing
        if not all(new):
            self._watch.look_now()
        return self._with_holders(task, made, taken) if taken else made

    def submit_many(
        self, task: Task[..., Any], jobs: Iterable[NewJob], options: SubmitOptions
    ) -> list[DurableFuture[Any]]:
        """Keep jobs batch by batch as they are taken; see DurableExecutor.submit_many.

        While a server keeps one batch, the calls of the next are taken, in this thread as ever. With a file, and
        through a driver that is written in Python, it would be no quicker: both need the interpreter.
        """
        made: list[DurableFuture[Any]] = []
        with self._unwanted_if_it_fails(options) as kept, ExitStack() as unmade:
            rest = batches(jobs)
            batch = self._next_batch(task, rest, options, kept, unmade)
            while batch is not None:
                if batch.made is None:
                    made += self.submit(task, batch.jobs, options)
                    batch = self._next_batch(task, rest, options, kept, unmade)
                else:
                    with self._kept_meanwhile(task, batch, options) as found:
                        batch = self._next_batch(task, rest, options, kept, unmade)
                    made += found
        return made

    def _next_batch(
        self,
        task: Task[..., Any],
        rest: Iterator[list[NewJob]],
        options: SubmitOptions,
        kept: bytearray,
        unmade: ExitStack,
    ) -> _Batch | None:
        """Take the next jobs, and make their futures if they may be kept meanwhile; `unmade` undoes that."""
        jobs = next(rest, None)
        if jobs is None:
            return None
        # Before: it may be interrupted when they are kept, and those that are not nobody else has the ids of.
        kept.extend(b"".join([job.id.bytes for job in jobs]))
        making = ExitStack()
        unmade.push(making)
        if not (self._store.keeps_meanwhile and _has_time(jobs, options)):
            return _Batch(jobs, None, making)
        made = making.enter_context(self._made(task, jobs, options.listeners))
        return _Batch(jobs, made, making)

    @contextmanager
    def _kept_meanwhile(
        self, task: Task[..., Any], batch: _Batch, options: SubmitOptions
    ) -> Iterator[list[DurableFuture[Any]]]:
        """Keep the jobs while the block runs; their futures are in the list after it."""
        found: list[DurableFuture[Any]] = []
        taken: dict[UUID, UUID] = {}
        with batch.making:
            written: futures.Future[list[bool]] | None = None
            try:
                with Uninterrupted():
                    written = self._store.submit_nowait(batch.jobs, taken=taken)
                if not written.running():
                    # Another thread is to send it, from which this one would keep the interpreter for 5 ms.
                    futures.wait([written], _TO_SEND)
                yield found
                new = written.result()
            except BaseException as error:
                if written is not None and not written.cancel():
                    self._let_end(written, batch.jobs, options, error)
                raise
        if not all(new):
            self._watch.look_now()
        made = batch.made or []
        found += self._with_holders(task, made, taken) if taken else made

    def _let_end(
        self,
        written: futures.Future[list[bool]],
        jobs: Sequence[NewJob],
        options: SubmitOptions,
        error: BaseException,
    ) -> None:
        """Wait until a batch is kept that is too late to stop; somebody who wants to end does not wait."""
        if isinstance(error, Exception):
            futures.wait([written])
        elif options.key is None:
            written.add_done_callback(functools.partial(self._control.take_back, jobs))

    async def submit_many_async(
        self, task: Task[..., Any], jobs: Iterable[NewJob], options: SubmitOptions
    ) -> list[DurableFuture[Any]]:
        """Do the same without holding up the event loop, but for making bytes of the arguments."""
        made: list[DurableFuture[Any]] = []
        with self._unwanted_if_it_fails(options) as kept:
            for batch in batches(jobs):
                found = await self.submit_async(task, batch, options)
                kept.extend(b"".join(job.id.bytes for job in batch))
                made += found
        return made

    @contextmanager
    def _unwanted_if_it_fails(self, options: SubmitOptions) -> Iterator[bytearray]:
        """Let the block note the ids of what it may keep: without a key that is cancelled if it raises."""
        kept = bytearray()
        try:
            yield kept
        except BaseException as error:
            if options.key is None:
                self._cancel_kept(kept, error)
            raise

    def _cancel_kept(self, kept: bytearray, reason: BaseException) -> None:
        ids = (bytes(kept[at : at + 16]) for at in range(0, len(kept), 16))
        while chunk := [UUID(bytes=one) for one in islice(ids, BATCH)]:
            try:
                self._control.cancel_unwanted(chunk)
            except StoreError as error:
                # They will be run although nobody has their futures.
                log.warning("submit_many_not_cancelled error=%s", error)
                reason.add_note(
                    f"jobs of the batches before may stay and run: they were not cancelled, {error}"
                )
                return

    def _with_holders(
        self,
        task: Task[..., Any],
        made: Sequence[DurableFuture[Any]],
        taken: Mapping[UUID, UUID],
    ) -> list[DurableFuture[Any]]:
        """Return the futures; in place of each whose job was not kept one of the job that stands for it."""
        with Uninterrupted():
            self.forget([future.job_id for future in made if future.job_id in taken])
        found: list[DurableFuture[Any]] = []
        for future in made:
            holder = taken.get(future.job_id)
            if holder is None:
                found.append(future)
                continue
            listener = self._listening.pop(future, None)
            found.append(self.make(Subject(holder, task.name), task))
            if listener is not None:
                self._listening[found[-1]] = listener
        self._watch.look_now()
        return found

    @contextmanager
    def _made(
        self, task: Task[..., Any], jobs: Sequence[NewJob], listeners: Sequence[Listener]
    ) -> Iterator[list[DurableFuture[Any]]]:
        """Make the futures of jobs that the block keeps; unmake them if it raises."""
        made: list[DurableFuture[Any]] = []
        with self._watch.submitting([job.id for job in jobs]):
            try:
                # A Ctrl-C is felt at the end of it, when all can be unmade.
                with Uninterrupted(), uncollected():
                    made.extend(DurableFuture(job.id, self._control) for job in jobs)
                    self._register(made, [job.task for job in jobs], task)
                    self._listening.update(zip(made, listeners, strict=False))
                yield made
            except BaseException:
                with Uninterrupted():
                    self.forget([future.job_id for future in made])
                    for future in made if listeners else ():
                        self._listening.pop(future, None)
                raise

    def _retry_failed(self, jobs: Sequence[NewJob], options: SubmitOptions) -> dict[UUID, UUID]:
        """Retry those that have failed before, if it is asked for.

        Returns:
            By the id of each that was not retried because another job holds its unique key, that job.

        Raises:
            DuplicateJob: There is one whose task does not say that the other stands for it.
            PayloadError: One of them is larger than the store takes, which its submit would find later.
        """
        if options.failed != "retry":
            return {}
        for setting in self._store.settings():
            check_payloads(jobs, setting)
        states = self._store.states([job.id for job in jobs])
        failed = [job_id for job_id, state in states.items() if state is State.FAILED]
        hindered: dict[UUID, Hindrance] = {}
        if failed:
            self._store.retry(failed, hindered=hindered)
        standing = {one: why.job_id for one, why in hindered.items() if why.kind == "unique"}
        for job in jobs if standing else ():
            is_skipped = job.unique is not None and job.unique.on_conflict == "skip"
            if job.id in standing and not is_skipped:
                raise DuplicateJob(
                    f"job {job.id} of {job.task} has failed and was not retried: "
                    f"{hindered[job.id].text}; others of this call that had failed were retried, "
                    "and nothing new was kept",
                    job_id=str(standing[job.id]),
                )
        return standing

    def keep(self, jobs: Sequence[NewJob], options: SubmitOptions) -> list[UUID]:
        """Keep the jobs, all or none, without a future of any; see `attach`.

        Returns:
            The ids of the jobs, or of those that hold their unique keys.
        """
        standing = self._retry_failed(jobs, options)
        taken: dict[UUID, UUID] = {}
        self._store.submit(jobs, taken=taken)
        taken |= standing
        return [taken.get(job.id, job.id) for job in jobs]

    def attach(
        self,
        task: Task[..., Any],
        subjects: Sequence[Subject],
        options: SubmitOptions,
    ) -> list[DurableFuture[Any]]:
        """Return futures of jobs that are kept, many of which may have their outcome."""
        made = [DurableFuture[Any](subject.job_id, self._control) for subject in subjects]
        self._register(made, [subject.task for subject in subjects], task)
        self._listening.update(zip(made, options.listeners, strict=False))
        mark = self._watch.mark()
        known = self._store.outcomes([one.job_id for one in subjects])
        self._watch.deliver(known.values(), mark=mark)
        return made

    def make(self, subject: Subject, task: Task[..., Any] | None) -> DurableFuture[Any]:
        """Return a future that ends with the outcome of the job.

        Args:
            subject: A job that exists, or is about to, and its task's name in the store.
            task: Its task; None: unknown here, so results are read as plain data.
        """
        future: DurableFuture[Any] = DurableFuture(subject.job_id, self._control)
        self.register(future, subject, task)
        return future

    def register(
        self, future: DurableFuture[Any], subject: Subject, task: Task[..., Any] | None
    ) -> None:
        """Let a future that was made elsewhere wait for the outcome of its job; see `make`."""
        self._register([future], [subject.task], task)

    def _register(
        self,
        made: Sequence[DurableFuture[Any]],
        names: Sequence[str],
        task: Task[..., Any] | None,
    ) -> None:
        fn = None if task is None else task.fn
        is_elsewhere = task is None or not self._is_served_here(task)
        waits: list[tuple[UUID, Deliver]] = []
        for future, name in zip(made, names, strict=True):
            future.task_name = name
            call = KeptCall(self._settles, future, fn)
            bind(future, call)
            if is_elsewhere:
                self._elsewhere.add(future.job_id)
                future.why_not = self._tells
            waits.append((future.job_id, call))
        self._watch.wait_for_all(waits)

    def listen(self, future: DurableFuture[Any], listener: Listener) -> None:
        """Tell somebody what the job reports."""
        self._listening[future] = listener

    def look_now(self) -> None:
        """Look for outcomes that were there before anybody waited for them."""
        self._watch.look_now()

    def keep_errors(self, ends: Ends) -> None:
        """Keep what the own worker's children have raised, for futures that wait for it."""
        for attempt, end in ends:
            packed = end.error.packed if isinstance(end, Failed | Quarantined) else b""
            if packed and self._watch.is_waited_for(attempt.job_id):
                self._errors[attempt.job_id] = (attempt.number, packed)

    def join(self) -> None:
        """Return when every job that is run here has an outcome."""
        self._watch.join(apart_from=self._elsewhere)

    def forget(self, job_ids: list[UUID]) -> None:
        """Undo `make`: these jobs were not kept."""
        self._elsewhere.difference_update(job_ids)
        self._watch.forget(job_ids)

    def be_forked(self, error: StoreError) -> None:
        """End all futures in a forked child, but call nobody: who waits is in the parent."""
        self._is_forked = True
        self._listening = {}
        self._control.waits.be_forked()
        self._watch.be_forked(error)

    def _look(self) -> None:
        self._tell_progress()
        self._control.waits.look()

    def _tell_progress(self) -> None:
        listening = list(self._listening.copy())
        for at in range(0, len(listening), _ASKED):
            asked = {future.job_id: future for future in listening[at : at + _ASKED]}
            for job_id, progress in self._store.progress(asked).items():
                self._tell_one(asked[job_id], progress)

    def _tell_one(self, future: DurableFuture[Any], progress: Progress | None) -> None:
        listener = self._listening.get(future)
        if listener is not None and progress is not None and note_progress(future, progress):
            tell(listener, progress)

    def _settle(
        self,
        future: DurableFuture[Any],
        subject: Subject,
        fn: Callable[..., Any] | None,
        outcome: JobOutcome | BaseException,
    ) -> None:
        self._elsewhere.discard(future.job_id)
        if self._is_forked:
            future._be_forked()
        raised = self._errors.pop(future.job_id, _NOTHING)
        if future in self._listening:
            self._tell_one(future, self._control.progress(future.job_id))
            self._listening.pop(future, None)
        if future.is_in_doubt and isinstance(outcome, JobNotFound):
            end_cancelled(future)
        elif isinstance(outcome, BaseException):
            future.set_exception(outcome)
        elif outcome.state is State.CANCELLED:
            future._why_cancelled = outcome.error
            end_cancelled(future)
        elif outcome.state is State.FAILED:
            number, packed = raised
            # Of this very attempt, or of none.
            future.set_exception(job_failed(outcome, packed if number == outcome.attempt else b""))
        else:
            try:
                result = self._result(subject, fn, outcome)
            except BaseException as error:  # Code of the user may load it: even SystemExit.
                future.set_exception(error)
            else:
                future.set_result(result)
        # Last: until it is done, cancel() must ask the store and not just say yes.
        release(future)

    def _result(self, subject: Subject, fn: Callable[..., Any] | None, outcome: JobOutcome) -> Any:
        return self._codec.decode_result(subject, outcome.result, fn=fn)


def _has_time(batch: Sequence[NewJob], options: SubmitOptions) -> bool:
    """Whether another thread may keep a batch: there is one after it, and no deadline of this thread."""
    is_bound = asyncio._get_running_loop() is not None or call_seconds_left() != math.inf
    return len(batch) >= BATCH and options.failed != "retry" and not is_bound
