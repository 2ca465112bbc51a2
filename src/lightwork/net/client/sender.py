"""Sender: calls that nobody waits for, in the order in which they were made, on one thread.

Submits that stand behind one another while a call is under way go out together; if the store refuses
them so, each by itself, because each is all or none for itself. `_lock` guards `_bundle`, those that stand
last and have not been sent, and `_jobs`, how many jobs these have.
"""

import functools
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final, NamedTuple, TypeVar

from lightwork.errors import JobError, UsageError
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.model import NewJob
from lightwork.store.server.soon import Soon, settle
from lightwork.store.views import KnownCall

T = TypeVar("T")

# Of one call: what waits behind it waits as long as it takes.
_MOST_JOBS: Final = 1000


class Told(NamedTuple):
    """What a submit tells beside its answer, by the ids of the jobs; None: nobody wants to know."""

    taken: dict[uuid.UUID, uuid.UUID] | None
    known: dict[uuid.UUID, KnownCall] | None


class _Submit(NamedTuple):
    jobs: Sequence[NewJob]
    told: Told
    future: Future[list[bool]]


class Sender:
    """Sends what nobody waits for; a future that can be cancelled has not been sent.

    Args:
        submit: Keeps jobs; see Store.submit.
        where: The store, for people.
    """

    def __init__(self, submit: Callable[[Sequence[NewJob], Told], list[bool]], where: str) -> None:
        self._submit = submit
        self._soon = Soon(where, "lightwork-sender")
        self.be_new()

    def be_new(self) -> None:
        """Begin without a thread, in a forked child too."""
        self._lock = threading.Lock()
        self._bundle: list[_Submit] = []
        self._jobs = 0
        self._soon.be_new()

    def submit(self, jobs: Sequence[NewJob], told: Told) -> Future[list[bool]]:
        """Keep jobs as soon as what was posted before is done."""
        future: Future[list[bool]] = Future()
        with Uninterrupted(), self._lock:
            if not self._bundle or self._jobs >= _MOST_JOBS:
                bundle: list[_Submit] = []
                self._soon.post(functools.partial(self._send, bundle))
                self._bundle, self._jobs = bundle, 0
            self._bundle.append(_Submit(jobs, told, future))
            self._jobs += len(jobs)
        return future

    def post(self, call: Callable[[], T]) -> Future[T]:
        """Run a call then."""
        with Uninterrupted(), self._lock:
            # What is submitted from now on comes after it.
            self._bundle = []
            return self._soon.post(call)

    def close(self) -> None:
        """Send what was posted, then end the thread; idempotent."""
        with Uninterrupted(), self._lock:
            self._bundle = []
        self._soon.close()

    def _send(self, bundle: list[_Submit]) -> None:
        with self._lock:
            if self._bundle is bundle:
                self._bundle = []
        sent = [one for one in bundle if one.future.set_running_or_notify_cancel()]
        if len(sent) > 1 and self._send_together(sent):
            return
        for one in sent:
            settle(one.future, functools.partial(self._submit, one.jobs, one.told))

    def _send_together(self, bundle: list[_Submit]) -> bool:
        """Send them as one; False: the store refuses one of them, so nothing was kept."""
        told = Told({}, {})
        try:
            new = iter(self._submit([job for one in bundle for job in one.jobs], told))
        except (UsageError, JobError):
            return False
        except BaseException as error:
            # Perhaps they were kept: to send them again would find them there, and not new.
            for one in bundle:
                one.future.set_exception(error)
            return True
        for one in bundle:
            _tell(one.jobs, told.taken, one.told.taken)
            _tell(one.jobs, told.known, one.told.known)
            one.future.set_result([next(new) for _ in one.jobs])
        return True


def _tell(
    jobs: Sequence[NewJob], told: dict[uuid.UUID, T] | None, theirs: dict[uuid.UUID, T] | None
) -> None:
    """Give to who submitted some of the jobs what was told of these."""
    if told and theirs is not None:
        theirs.update({job.id: told[job.id] for job in jobs if job.id in told})
