"""Control: what a future asks the store about its job, and how it has the job cancelled.

In a thread that runs an event loop nobody waits for the store for longer than a moment:
the word is given, and what came of it is told later.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from contextlib import suppress
from typing import Any, Final, TypeVar
from uuid import UUID

from lightwork.durable.outcome_watch import Deliver, OutcomeWatch
from lightwork.durable.waits.inside import Waits
from lightwork.errors import StoreError, StoreUnavailable
from lightwork.model import JobOutcome, NewJob, Progress, State
from lightwork.pool.call.future import CancelMode
from lightwork.store.contract import Store

T = TypeVar("T")

# Seconds for which a loop may stand still, so that `cancel` mostly knows what it says.
_MOMENT: Final = 0.02
# What is to be cancelled for nobody is tried again so often, after so many seconds each.
_TRIES: Final = 3
_PAUSE: Final = 1.0


class JobControl:
    """Asks and cancels, for all futures of one executor.

    Args:
        store: Where the jobs are.
        watch: Told which jobs were cancelled: it ends their futures.
    """

    def __init__(self, store: Store, watch: OutcomeWatch) -> None:
        self._store = store
        self._watch = watch
        self.waits = Waits(store)

    def check_open(self, job_id: UUID) -> None:
        """Refuse to wait for what cannot come.

        Raises:
            StoreError: The executor was shut down.
        """
        if self._watch.is_closed:
            raise StoreError(
                f"job {job_id} had no outcome when its executor was shut down, so none comes here: "
                "`future(job_id)` of a new executor of this store waits for it"
            )

    def is_running(self, job_id: UUID) -> bool:
        """Whether a worker has claimed the job."""
        states = _asked(lambda: self._store.states([job_id]), dict[UUID, State]())
        return states.get(job_id) is State.RUNNING

    def has_begun(self, job_id: UUID) -> bool:
        """Whether the attempt of the job is known to have begun."""
        view = _asked(lambda: self._store.job(job_id), None)
        return view is not None and view.has_begun

    def progress(self, job_id: UUID) -> Progress | None:
        """Return what the job has last reported, as far as the store can be asked."""
        try:
            said = _asked(lambda: self._store.progress([job_id]), dict[UUID, Progress]())
            return said.get(job_id)
        except StoreError:
            # Closed, or out of reach: what was known last is the best answer.
            return None

    def cancel(self, job_id: UUID, future: futures.Future[Any], mode: CancelMode) -> bool:
        """Cancel the job of a future; see Future.cancel for the modes."""
        if asyncio._get_running_loop() is not None:
            return self._cancel_in_loop(job_id, future, mode)
        mark = self._watch.mark()
        state = self._store.cancel([job_id], running=mode).get(job_id)
        if state is not State.CANCELLED:
            return False
        self._watch.deliver(_cancelled([job_id]), mark=mark)
        # Whoever else heard of it first may still be about to say so.
        futures.wait([future])
        return True

    def _cancel_in_loop(self, job_id: UUID, future: futures.Future[Any], mode: CancelMode) -> bool:
        # asyncio calls cancel() when a wait is cancelled; the loop may not wait for the store.
        mark = self._watch.mark()
        asked = self._ask_cancel([job_id], mode)
        try:
            state = asked.result(_MOMENT).get(job_id)
        except TimeoutError:
            return False
        if state is State.CANCELLED:
            self._watch.deliver(_cancelled([job_id]), mark=mark)
            futures.wait([future], _MOMENT)
        return state is State.CANCELLED

    async def cancel_async(
        self, job_id: UUID, future: futures.Future[Any], mode: CancelMode
    ) -> bool:
        """Do the same as `cancel` without holding up the event loop."""
        asked = await asyncio.wrap_future(self._ask_cancel([job_id], mode))
        if asked.get(job_id) is not State.CANCELLED:
            return False
        # It is on its way.
        await asyncio.wait([asyncio.wrap_future(future)])
        return True

    def give_up(self, job_id: UUID, deliver: Deliver, error: BaseException) -> None:
        """End one wait for the job; see OutcomeWatch.give_up."""
        self._watch.give_up(job_id, deliver, error)

    def cancel_waiting(self, job_ids: Iterable[UUID]) -> None:
        """Cancel those that have not begun; those that run are not even asked.

        In a coroutine they are cancelled soon, and nobody waits for it.
        """
        if asyncio._get_running_loop() is not None:
            self._ask_cancel(job_ids, "no")
            return
        mark = self._watch.mark()
        after = self._store.cancel(job_ids, running="no").items()
        gone = [job_id for job_id, state in after if state is State.CANCELLED]
        self._watch.deliver(_cancelled(gone), mark=mark)

    def cancel_unwanted(self, job_ids: Sequence[UUID]) -> None:
        """Cancel those that nobody will have the futures of, though the store may just be away.

        Whatever has ended the submit may have cut this off, too. An event loop does not stand still for it.
        """
        is_in_loop = asyncio._get_running_loop() is not None
        for _ in range(0 if is_in_loop else _TRIES):
            with suppress(StoreUnavailable):
                self.cancel_waiting(job_ids)
                return
            time.sleep(_PAUSE)
        self.cancel_waiting(job_ids)

    def take_back(self, jobs: Sequence[NewJob], written: futures.Future[list[bool]]) -> None:
        """Cancel those of these jobs that a submit has kept anew: nobody will have their futures.

        Called in the thread that writes, which must not wait for itself.
        """
        with suppress(StoreError):
            kept = zip(jobs, written.result(), strict=True)
            new = [job.id for job, is_new in kept if is_new]
            self._store.cancel_nowait(new, running="no")

    def _ask_cancel(
        self, job_ids: Iterable[UUID], mode: CancelMode
    ) -> futures.Future[dict[UUID, State]]:
        mark = self._watch.mark()

        def tell(asked: futures.Future[dict[UUID, State]]) -> None:
            # In the thread that writes: not where code of users may run.
            if not asked.cancelled() and asked.exception() is None:
                states = asked.result().items()
                gone = _cancelled(one for one, state in states if state is State.CANCELLED)
                self._watch.tell(gone, mark=mark)

        asked = self._store.cancel_nowait(job_ids, running=mode)
        asked.add_done_callback(tell)
        return asked


def _cancelled(job_ids: Iterable[UUID]) -> list[JobOutcome]:
    return [JobOutcome(job_id=one, state=State.CANCELLED, attempt=0) for one in job_ids]


def _asked(ask: Callable[[], T], otherwise: T) -> T:
    """Return what the store says; in a coroutine what is left unsaid after a moment is `otherwise`."""
    if asyncio._get_running_loop() is None:
        return ask()
    said: futures.Future[T] = futures.Future()

    def say() -> None:
        try:
            said.set_result(ask())
        except BaseException as error:
            said.set_exception(error)

    # Not of the loop's own pool, for whose threads the program waits at its end.
    threading.Thread(target=say, name="lightwork-ask", daemon=True).start()
    try:
        return said.result(_MOMENT)
    except TimeoutError:
        return otherwise
