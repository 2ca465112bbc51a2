"""Futures of jobs: how a program hears of the outcomes of what it has submitted.

A future is registered before its job is kept: an outcome may be there before
`submit` returns. It is ended by whoever first hears of the outcome (the watch over
the store, the worker in this program, or a cancel), and by nobody else.
"""

import asyncio
import functools
import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent import futures
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar
from uuid import UUID

from lightwork.clock import monotonic
from lightwork.codec import Codec, Subject
from lightwork.durable.patience import Patience
from lightwork.errors import StoreError
from lightwork.lifecycle import Failed, Quarantined
from lightwork.model import JobOutcome, NewJob, Progress, State
from lightwork.pool.future import CancelMode, Future
from lightwork.pool.map_options import WhenFailed
from lightwork.pool.progress import Listener, tell
from lightwork.store.contract import Store
from lightwork.tasks import Task
from lightwork.uninterrupted import Uninterrupted
from lightwork.wakening import Wakening
from lightwork.work.outcomes import OutcomeWatch, job_failed
from lightwork.work.unserved import PATIENCE
from lightwork.work.worker import Ends

T = TypeVar("T")

# Of a job that a key finds again: its error comes back, or it is run again.

_NOTHING: Final = (0, b"")
# Jobs whose progress is read at a time.
_ASKED: Final = 500
# Seconds for which a loop may stand still, so that `cancel` mostly knows what it says.
_MOMENT: Final = 0.02
_WAITING: Final = frozenset({State.BLOCKED, State.SCHEDULED, State.READY})


class DurableFuture(Future[T]):
    """The future of a job; `job_id` finds it again after a restart."""

    def __init__(self, job_id: UUID, find_progress: Callable[[UUID], Progress | None]) -> None:
        super().__init__()
        self.job_id = job_id
        self._find_progress = find_progress
        # Called while somebody waits for long.
        self.tell_why: Callable[[], None] = _nothing

    def result(self, timeout: float | None = None) -> T:
        """Return what the call returned, as the standard library's does; see NoWorkerWarning."""
        return super().result(self._wait_telling(timeout))

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what the call raised, or None; see `result`."""
        return super().exception(self._wait_telling(timeout))

    def __await__(self) -> Generator[Any, None, T]:
        loop = asyncio.get_running_loop()
        # In a thread: it asks the store.
        tell = loop.call_later(PATIENCE, loop.run_in_executor, None, self.tell_why)
        try:
            return (yield from super().__await__())
        finally:
            tell.cancel()

    def _wait_telling(self, timeout: float | None) -> float | None:
        """Wait for as long as that is worth a word; return how long the caller may still wait."""
        deadline = math.inf if timeout is None else monotonic() + timeout
        while not self.done():
            left = deadline - monotonic()
            if left <= PATIENCE:
                return left
            try:
                super().exception(PATIENCE)
            except TimeoutError:
                self.tell_why()
            except CancelledError:
                break
        return timeout

    @property
    def progress(self) -> Progress | None:
        """What the job has last reported, read from the store while its executor is open."""
        self._progress = self._find_progress(self.job_id) or self._progress
        return self._progress

    async def cancel_async(self, *, running: CancelMode = "no") -> bool:
        """Cancel the job without holding up the event loop.

        In a coroutine `cancel` itself waits only for a moment, and False may mean: not yet.
        """
        call = self._call
        if not isinstance(call, _KeptCall) or self.done():
            return self.cancel(running=running)
        return await call.withdraw_async(running)

    def _subject(self) -> str:
        return f"job {self.job_id}"

    def _be_forked(self) -> None:
        # Its lock may have been held by a thread that does not exist here, and those who
        # are to be told are the parent's.
        self._condition = Wakening()  # type: ignore[assignment]
        self._done_callbacks = []


def _nothing() -> None:
    """Tell nobody anything."""


class _KeptCall:
    """The job behind a future, as cancel() and running() ask for it."""

    # There is one for each future, of which there may be many thousands: what each costs is
    # mostly what the collector has to look at, so no closure and no cells.
    __slots__ = ("_fn", "_future", "_owner", "_subject")

    def __init__(
        self,
        owner: "JobFutures",
        future: DurableFuture[Any],
        subject: Subject,
        fn: Callable[..., Any] | None,
    ) -> None:
        self._owner = owner
        self._future = future
        self._subject = subject
        self._fn = fn

    def settle(self, outcome: JobOutcome | BaseException) -> None:
        """End the future with the outcome of the job."""
        self._owner._settle(self._future, self._subject, self._fn, outcome)

    def withdraw(self, mode: CancelMode) -> bool:
        """Cancel the job in the store."""
        return self._owner.cancel(self._future, mode)

    async def withdraw_async(self, mode: CancelMode) -> bool:
        """Do the same without holding up the event loop."""
        return await self._owner.cancel_async(self._future, mode)

    def is_running(self) -> bool:
        """Whether a worker has claimed it."""
        return self._owner.is_running(self._future.job_id)

    def has_begun(self) -> bool:
        """Whether the store knows that its attempt has begun."""
        return self._owner.has_begun(self._future.job_id)


class JobFutures:
    """The futures of one executor, and how each is ended.

    Args:
        store: Where the jobs are.
        codec: Reads results.
        watch: Brings the outcomes.
        is_served_here: Whether the worker of this program, if there is one, runs
            jobs of the task.
    """

    def __init__(
        self,
        store: Store,
        codec: Codec,
        watch: OutcomeWatch,
        is_served_here: Callable[[Task[..., Any]], bool],
    ) -> None:
        self._store = store
        self._codec = codec
        self._is_served_here = is_served_here
        self._watch = watch
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
        self._finds_progress = self._find_progress
        watch.on_look = self._tell_progress

    def submit(
        self,
        task: Task[..., Any],
        jobs: Sequence[NewJob],
        listeners: Sequence[Listener] = (),
        *,
        failed: WhenFailed = "return",
    ) -> list[DurableFuture[Any]]:
        """Keep the jobs, all or none, and return their futures.

        Args:
            task: Of all of them.
            jobs: With ids; one that the store knows is not kept twice.
            listeners: Told what each job reports; none, or one for each.
            failed: What to do with those that were kept before and have failed.
        """
        if failed == "retry":
            # First: a future would hear at once of the outcome that is to be forgotten.
            self._retry_failed(jobs)
        with self._made(task, jobs, listeners) as made:
            new = self._store.submit(jobs)
        if not all(new):
            self._watch.look_now()
        return made

    async def submit_async(
        self,
        task: Task[..., Any],
        jobs: Sequence[NewJob],
        listeners: Sequence[Listener] = (),
        *,
        failed: WhenFailed = "return",
    ) -> list[DurableFuture[Any]]:
        """Do the same without holding up the event loop."""
        if failed == "retry":
            await asyncio.to_thread(self._retry_failed, jobs)
        with self._made(task, jobs, listeners) as made:
            written = self._store.submit_nowait(jobs)
            try:
                new = await asyncio.wrap_future(written)
            except asyncio.CancelledError:
                if not written.cancel():
                    # Too late, and nobody will have the futures.
                    written.add_done_callback(functools.partial(self._take_back, jobs))
                raise
        if not all(new):
            self._watch.look_now()
        return made

    def _take_back(self, jobs: Sequence[NewJob], written: futures.Future[list[bool]]) -> None:
        # In the thread that writes, which must not wait for itself.
        with suppress(StoreError):
            kept = zip(jobs, written.result(), strict=True)
            new = [job.id for job, is_new in kept if is_new]
            self._store.cancel_nowait(new, running="no")

    @contextmanager
    def _made(
        self, task: Task[..., Any], jobs: Sequence[NewJob], listeners: Sequence[Listener]
    ) -> Iterator[list[DurableFuture[Any]]]:
        """Make the futures of jobs that the block keeps; unmake them if it raises."""
        made: list[DurableFuture[Any]] = []
        with self._watch.submitting(job.id for job in jobs):
            try:
                # A Ctrl-C is felt at the end of it, when all can be unmade.
                with Uninterrupted():
                    made.extend(self.make(Subject(job.id, job.task), task) for job in jobs)
                    self._listening.update(zip(made, listeners, strict=False))
                yield made
            except BaseException:
                with Uninterrupted():
                    self.forget([future.job_id for future in made])
                    for future in made if listeners else ():
                        self._listening.pop(future, None)
                raise

    def _retry_failed(self, jobs: Sequence[NewJob]) -> None:
        states = self._store.states([job.id for job in jobs])
        failed = [job_id for job_id, state in states.items() if state is State.FAILED]
        if failed:
            self._store.retry(failed)

    def keep(self, jobs: Sequence[NewJob], *, failed: WhenFailed) -> None:
        """Keep the jobs, all or none, without a future of any; see `attach`."""
        if failed == "retry":
            self._retry_failed(jobs)
        self._store.submit(jobs)

    def attach(
        self,
        task: Task[..., Any],
        subjects: Sequence[Subject],
        listeners: Sequence[Listener] = (),
    ) -> list[DurableFuture[Any]]:
        """Return futures of jobs that are kept, many of which may have their outcome."""
        made = [self.make(subject, task) for subject in subjects]
        self._listening.update(zip(made, listeners, strict=False))
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
        job_id = subject.job_id
        future: DurableFuture[Any] = DurableFuture(job_id, self._finds_progress)
        call = _KeptCall(self, future, subject, None if task is None else task.fn)
        future._call = call
        if task is None or not self._is_served_here(task):
            self._elsewhere.add(job_id)
            future.tell_why = functools.partial(self._patience.tell, job_id)
        self._watch.wait_for(job_id, call.settle)
        return future

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

    def is_running(self, job_id: UUID) -> bool:
        """Whether a worker has claimed the job."""
        return self._store.states([job_id]).get(job_id) is State.RUNNING

    def has_begun(self, job_id: UUID) -> bool:
        """Whether the attempt of the job is known to have begun."""
        view = self._store.job(job_id)
        return view is not None and view.has_begun

    def cancel(self, future: DurableFuture[Any], mode: CancelMode) -> bool:
        """Cancel the job of a future; see Future.cancel for the modes."""
        if asyncio._get_running_loop() is not None:
            return self._cancel_in_loop(future, mode)
        if mode == "no" and future.running():
            return False
        mark = self._watch.mark()
        state = self._store.cancel([future.job_id], kill=mode == "kill").get(future.job_id)
        if state is not State.CANCELLED:
            return False
        self._note_cancelled([future.job_id], mark)
        # Whoever else heard of it first may still be about to say so.
        futures.wait([future])
        return True

    def _cancel_in_loop(self, future: DurableFuture[Any], mode: CancelMode) -> bool:
        # asyncio calls cancel() when a wait is cancelled; the loop may not wait for the store.
        mark = self._watch.mark()
        asked = self._ask_cancel([future.job_id], mode)
        try:
            state = asked.result(_MOMENT).get(future.job_id)
        except TimeoutError:
            return False
        if state is State.CANCELLED:
            self._note_cancelled([future.job_id], mark)
            futures.wait([future], _MOMENT)
        return state is State.CANCELLED

    async def cancel_async(self, future: DurableFuture[Any], mode: CancelMode) -> bool:
        """Do the same as `cancel` without holding up the event loop."""
        asked = await asyncio.wrap_future(self._ask_cancel([future.job_id], mode))
        if asked.get(future.job_id) is not State.CANCELLED:
            return False
        # It is on its way.
        await asyncio.wait([asyncio.wrap_future(future)])
        return True

    def _ask_cancel(
        self, job_ids: Iterable[UUID], mode: CancelMode
    ) -> futures.Future[dict[UUID, State]]:
        mark = self._watch.mark()

        def tell(asked: futures.Future[dict[UUID, State]]) -> None:
            # In the thread that writes: not where code of users may run.
            if not asked.cancelled() and asked.exception() is None:
                states = asked.result().items()
                self._watch.tell(
                    _cancelled(one for one, state in states if state is State.CANCELLED), mark=mark
                )

        asked = self._store.cancel_nowait(job_ids, running=mode)
        asked.add_done_callback(tell)
        return asked

    def be_forked(self, error: StoreError) -> None:
        """End all futures in a forked child, but call nobody: who waits is in the parent."""
        self._is_forked = True
        self._listening = {}
        self._watch.be_forked(error)

    def cancel_waiting(self, job_ids: Iterable[UUID]) -> None:
        """Cancel those that have not begun; those that run are not even asked.

        In a coroutine they are cancelled soon, and nobody waits for it.
        """
        if asyncio._get_running_loop() is not None:
            self._ask_cancel(job_ids, "no")
            return
        states = self._store.states(list(job_ids)).items()
        waiting = [job_id for job_id, state in states if state in _WAITING]
        mark = self._watch.mark()
        cancelled = self._store.cancel(waiting).items()
        gone = [job_id for job_id, state in cancelled if state is State.CANCELLED]
        self._note_cancelled(gone, mark)

    def _note_cancelled(self, job_ids: Iterable[UUID], mark: int) -> None:
        self._watch.deliver(_cancelled(job_ids), mark=mark)

    def _find_progress(self, job_id: UUID) -> Progress | None:
        try:
            return self._store.progress([job_id]).get(job_id)
        except StoreError:
            # Closed, or out of reach: what was known last is the best answer.
            return None

    def _tell_progress(self) -> None:
        listening = list(self._listening.copy())
        for at in range(0, len(listening), _ASKED):
            asked = {future.job_id: future for future in listening[at : at + _ASKED]}
            for job_id, progress in self._store.progress(asked).items():
                self._tell_one(asked[job_id], progress)

    def _tell_one(self, future: DurableFuture[Any], progress: Progress | None) -> None:
        listener = self._listening.get(future)
        if listener is not None and progress is not None and progress != future._progress:
            future._progress = progress
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
            self._tell_one(future, self._find_progress(future.job_id))
            self._listening.pop(future, None)
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        elif outcome.state is State.CANCELLED:
            future._end_cancelled()
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
        future._forget_call()

    def _result(self, subject: Subject, fn: Callable[..., Any] | None, outcome: JobOutcome) -> Any:
        return self._codec.decode_result(subject, outcome.result, fn=fn)


def _cancelled(job_ids: Iterable[UUID]) -> list[JobOutcome]:
    return [JobOutcome(job_id=one, state=State.CANCELLED, attempt=0) for one in job_ids]
