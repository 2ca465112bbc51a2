"""Future: the handle on a job that is kept; `job_id` finds it again after a restart."""

import asyncio
import gc
import math
from collections.abc import Callable, Generator, Iterator
from concurrent import futures
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar
from uuid import UUID

from lightwork.clock import monotonic
from lightwork.codec import Subject
from lightwork.durable.control import JobControl
from lightwork.durable.waits.inside import Waiters, is_of_asyncio
from lightwork.errors import JobCancelled
from lightwork.locks.lazy_condition import LazyCondition
from lightwork.model import ErrorInfo, JobOutcome, Progress
from lightwork.pool.call.current import Current, waiting_job
from lightwork.pool.call.future import CancelMode, Future
from lightwork.work.unserved import PATIENCE

T = TypeVar("T")

# Ends a future: of which job, read as what its function returns, with what.
Settle = Callable[
    ["DurableFuture[Any]", Subject, Callable[..., Any] | None, JobOutcome | BaseException], None
]


class DurableFuture(Future[T]):
    """The future of a job; `job_id` finds it again after a restart."""

    # Told when it is made: its task as the store names it.
    task_name: str
    # Told its job while somebody waits for long.
    why_not: Callable[[UUID], None] | None = None
    # The job may never have existed: then it ends as cancelled.
    is_in_doubt = False
    # What the store says of the end of a job that nobody has cancelled by its id.
    _why_cancelled: ErrorInfo | None = None
    # The job that has made it, if one has.
    _maker: Current | None = None
    # Jobs of which asyncio waits for it; there is mostly none.
    _awaiting: tuple[Current, ...] = ()

    def __init__(self, job_id: UUID, control: JobControl) -> None:
        super().__init__()
        self.job_id = job_id
        self._control = control
        if (job := waiting_job()) is not None:
            self._maker = job
            self._waiters = Waiters(self, control.waits)

    def result(self, timeout: float | None = None) -> T:
        """Return what the call returned, as the standard library's does; see NoWorkerWarning.

        Inside of a job its worker may run another one meanwhile, beyond its number of slots.
        """
        with self.waited_for():
            timeout = self._wait_telling(timeout)
            try:
                return super().result(timeout)
            except CancelledError as error:
                raise self._cancelled(error) from None

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what the call raised, or None; see `result`."""
        with self.waited_for():
            timeout = self._wait_telling(timeout)
            try:
                return super().exception(timeout)
            except CancelledError as error:
                raise self._cancelled(error) from None

    def done(self) -> bool:
        """Whether it has an outcome, or is cancelled; a job that asks for long lends its slot."""
        if super().done():
            return True
        if (job := self.waiting_job()) is not None:
            job.ask()
        return False

    @property
    def kept_as(self) -> Subject:
        """The job, and its task as the store names it."""
        return Subject(self.job_id, self.task_name)

    def waiting_job(self) -> Current | None:
        """Return the job that runs here, or else the one that has made this future."""
        return waiting_job() or self._maker

    def waited_for(self) -> AbstractContextManager[None]:
        """Note, in a job, that it waits for this one inside of the block."""
        return self._control.waits.waiting(self, None if super().done() else self.waiting_job())

    def add_done_callback(self, fn: Callable[[futures.Future[T]], object]) -> None:
        """Call it when the future is done; asyncio waits for it in this way."""
        if is_of_asyncio(fn) and not super().done() and (job := self.waiting_job()) is not None:
            self._control.waits.begin(self, job)
            self._awaiting += (job,)
        super().add_done_callback(fn)

    def _invoke_callbacks(self) -> None:
        self._end_awaiting()
        super()._invoke_callbacks()

    def _end_awaiting(self) -> None:
        awaiting, self._awaiting = self._awaiting, ()
        for job in awaiting:
            self._control.waits.end(self, job)

    def cancel(self, *, running: CancelMode = "no") -> bool:
        """Cancel the job; see Future.cancel. So asyncio says that nobody awaits it any more."""
        self._end_awaiting()
        return super().cancel(running=running)

    def __await__(self) -> Generator[Any, None, T]:
        loop = asyncio.get_running_loop()
        # In a thread: it asks the store.
        tell = loop.call_later(PATIENCE, loop.run_in_executor, None, self.tell_why)
        try:
            return (yield from super().__await__())
        finally:
            tell.cancel()

    def give_up(self, error: BaseException) -> None:
        """End it: whoever waits for it waits for nothing."""
        if isinstance(call := self._call, KeptCall):
            self._control.give_up(self.job_id, call, error)

    def tell_why(self) -> None:
        """Warn if there is a reason for which nobody will run the job."""
        if self.why_not is not None:
            self.why_not(self.job_id)

    def _wait_telling(self, timeout: float | None) -> float | None:
        """Wait for as long as that is worth a word; return how long the caller may still wait."""
        deadline = math.inf if timeout is None else monotonic() + timeout
        while not self.done():
            if timeout is None:
                self._control.check_open(self.job_id)
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
        self._progress = self._control.progress(self.job_id) or self._progress
        return self._progress

    async def cancel_async(self, *, running: CancelMode = "no") -> bool:
        """Cancel the job without holding up the event loop.

        In a coroutine `cancel` itself waits only for a moment, and False may mean: not yet.
        """
        if self._call is None or self.done():
            return self.cancel(running=running)
        return await self._control.cancel_async(self.job_id, self, running)

    def _cancelled(self, error: CancelledError) -> CancelledError:
        why = self._why_cancelled
        if why is None:
            return error
        text = f"job {self.job_id} was cancelled: {why.type}: {why.text}"
        return JobCancelled(text, job_id=str(self.job_id))

    def check_waitable(self) -> None:
        """Raise if nobody may wait for it; of most futures everybody may."""

    def _subject(self) -> str:
        return f"job {self.job_id}"

    def _be_forked(self) -> None:
        # Its lock may have been held by a thread that does not exist here, and those who
        # are to be told are the parent's.
        self._condition = LazyCondition()  # type: ignore[assignment]
        self._done_callbacks = []


class KeptCall:
    """The job behind a future, until that is ended; what the watch tells the outcome."""

    # There is one for each future, of which there may be many thousands: what each costs is
    # mostly what the collector has to look at, so no closure, no cells, no bound method.
    __slots__ = ("_fn", "_future", "_settle")

    def __init__(
        self,
        settle: Settle,
        future: DurableFuture[Any],
        fn: Callable[..., Any] | None,
    ) -> None:
        self._settle = settle
        self._future = future
        self._fn = fn

    def __call__(self, outcome: JobOutcome | BaseException) -> None:
        """End the future with the outcome of the job."""
        self._settle(self._future, self._future.kept_as, self._fn, outcome)

    def withdraw(self, mode: CancelMode) -> bool:
        """Cancel the job in the store."""
        future = self._future
        return future._control.cancel(future.job_id, future, mode)

    def is_running(self) -> bool:
        """Whether a worker has claimed it."""
        return self._future._control.is_running(self._future.job_id)

    def has_begun(self) -> bool:
        """Whether the store knows that its attempt has begun."""
        return self._future._control.has_begun(self._future.job_id)


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector of cycles away from objects that are made in great number to stay.

    Among the futures of 20,000 jobs it would look again and again: 10 us a job, where one is made in 4. The
    block runs no code of the user, for some milliseconds.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
