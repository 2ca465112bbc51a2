"""Inside: waits of jobs for other jobs, through the futures of one executor.

A job that waits says so to its worker, which lends its slot meanwhile. It may wait in any of its threads:
a future remembers the job that made it, and asks for that only where no job is known.

    result(), exception(), a map    say so themselves, in the thread or coroutine that waits
    concurrent.futures.wait         puts a waiter into the future (Waiters)
    asyncio                         adds a callback of its own (is_of_asyncio), whether the future
                                    is awaited, wrapped or given to gather
    done() and the like             are asked again and again (Current.ask)

Some waits cannot end. One of a job for itself is told at once. After LONG seconds, and then less and less
often, the store is asked whether what is waited for can begin before the job that waits has ended; a future
that cannot is ended with an error, which all forms of waiting hear.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol
from uuid import UUID

from lightwork.clock import monotonic
from lightwork.errors import UsageError
from lightwork.pool.call.current import Current
from lightwork.store.contract import Store


class WaitedFor(Protocol):
    """A future of a job."""

    job_id: UUID

    def waiting_job(self) -> Current | None:
        """Return the job that waits here, if one does."""

    def give_up(self, error: BaseException) -> None:
        """End it: whoever waits for it waits for nothing."""


LONG: Final = 1.0
_RARELY: Final = 30.0
# Futures that are asked for at a time.
_ASKED: Final = 1000


@dataclass(slots=True)
class _Wait:
    """The waits of one job for one future."""

    count: int
    look_at: float
    pause: float = LONG


class Waits:
    """Waits of jobs, for the futures of one executor; any thread may use it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # Reentrant: the collector may end a wait while it is held.
        self._lock = threading.RLock()
        # By the job that waits; guarded by the lock.
        self._waits: dict[tuple[str, WaitedFor], _Wait] = {}

    @contextmanager
    def waiting(self, future: WaitedFor, job: Current | None) -> Iterator[None]:
        """Inside of the block the job waits for that of the future; None: nobody's job does.

        Raises:
            UsageError: It would wait for itself.
        """
        if job is None:
            yield
            return
        self.begin(future, job)
        try:
            yield
        finally:
            self.end(future, job)

    def begin(self, future: WaitedFor, job: Current) -> None:
        """Note that the job waits for that of the future.

        Raises:
            UsageError: It would wait for itself.
        """
        if job.job_id == str(future.job_id):
            raise UsageError(
                f"job {job.job_id} waits for its own outcome, which cannot come before it has ended; a "
                "submit with a unique key that it holds itself gives its own future: do not wait for that, "
                "or give the other job another key"
            )
        with self._lock:
            new = _Wait(0, monotonic() + LONG)
            self._waits.setdefault((job.job_id, future), new).count += 1
        job.wait(begins=True)

    def end(self, future: WaitedFor, job: Current) -> None:
        """Note that one such wait is over, as it may be before the future is done."""
        with self._lock:
            wait = self._waits.get((job.job_id, future))
            # None: in a forked child, to which no wait of its parent belongs.
            if wait is not None:
                wait.count -= 1
                if not wait.count:
                    del self._waits[job.job_id, future]
        job.wait(begins=False)
        # Whoever waits for moments only is asking.
        job.ask()

    def be_forked(self) -> None:
        """Forget everything in a forked child: whoever waits is in the parent."""
        self._lock, self._waits = threading.RLock(), {}

    def look(self) -> None:
        """End the futures of which the store says that they are waited for in vain."""
        if not self._waits:
            return
        for waiter, waited_for in self._take_due(monotonic()).items():
            held_up = self._store.held_up(UUID(waiter), {one.job_id for one in waited_for})
            for future in waited_for:
                if (key := held_up.get(future.job_id)) is not None:
                    future.give_up(_in_vain(waiter, future.job_id, key))

    def _take_due(self, now: float) -> dict[str, list[WaitedFor]]:
        due: dict[str, list[WaitedFor]] = {}
        with self._lock:
            found = ((key, wait) for key, wait in self._waits.items() if wait.look_at <= now)
            for (waiter, future), wait in islice(found, _ASKED):
                due.setdefault(waiter, []).append(future)
                wait.pause = min(2 * wait.pause, _RARELY)
                wait.look_at = now + wait.pause
        return due


def _in_vain(waiter: str, job_id: UUID, key: str) -> UsageError:
    if not key:
        return UsageError(
            f"job {waiter} waits for job {job_id}, which was submitted to begin after its end, so neither "
            "can go on: return without waiting, or submit it without that future or after="
        )
    return UsageError(
        f"job {waiter} waits for job {job_id}, which needs a place of limit {key!r}; all of them are that "
        "of the job that waits, which keeps it until its end, so neither can go on: return without "
        "waiting, give only one of the two this limit, or allow more to run"
    )


class Waiters(list[Any]):
    """Where `concurrent.futures.wait` and `as_completed` say that they wait for a future."""

    def __init__(self, future: WaitedFor, waits: Waits) -> None:
        super().__init__()
        self._future = future
        self._waits = waits
        # Whose each waiter is, in the same order.
        self._jobs: list[Current | None] = []

    def append(self, waiter: Any) -> None:
        """Note that somebody waits. Called with the lock of the future, as is `remove`."""
        if (job := self._future.waiting_job()) is not None:
            self._waits.begin(self._future, job)
        self._jobs.append(job)
        super().append(waiter)

    def remove(self, waiter: Any) -> None:
        """Note that it does no more."""
        at = self.index(waiter)
        del self[at]
        if (job := self._jobs.pop(at)) is not None:
            self._waits.end(self._future, job)


def is_of_asyncio(callback: Callable[..., Any]) -> bool:
    """Whether a callback of a future is that by which asyncio waits for it."""
    return getattr(callback, "__module__", "") == "asyncio.futures"
