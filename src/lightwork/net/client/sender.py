"""Sender: calls that nobody waits for, in the order in which they were made, on one thread.

Submits that stand behind one another while a call is under way go out together; if the store refuses
them so, each by itself, because each is all or none for itself. `_lock` guards `_thread` and
`_is_closed`.
"""

import contextlib
import functools
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, Final, NamedTuple, TypeVar

from lightwork.errors import JobError, StoreError, UsageError
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.model import NewJob
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


class _Other(NamedTuple):
    call: Callable[[], Any]
    future: Future[Any]


_Turn = _Submit | _Other | None


class Sender:
    """Sends what nobody waits for; a future that can be cancelled has not been sent.

    Args:
        submit: Keeps jobs; see Store.submit.
        where: The store, for people.
    """

    def __init__(self, submit: Callable[[Sequence[NewJob], Told], list[bool]], where: str) -> None:
        self._submit = submit
        self._where = where
        self._is_closed = False
        self.be_new()

    def be_new(self) -> None:
        """Begin without a thread, in a forked child too."""
        self._lock = threading.Lock()
        self._waiting: SimpleQueue[_Turn] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, jobs: Sequence[NewJob], told: Told) -> Future[list[bool]]:
        """Keep jobs as soon as what was posted before is done."""
        future: Future[list[bool]] = Future()
        self._post(_Submit(jobs, told, future))
        return future

    def post(self, call: Callable[[], T]) -> Future[T]:
        """Run a call then."""
        future: Future[T] = Future()
        self._post(_Other(call, future))
        return future

    def close(self) -> None:
        """Send what was posted, then end the thread; idempotent."""
        with Uninterrupted(), self._lock:
            thread = self._thread
            if thread is not None and not self._is_closed:
                self._waiting.put(None)
            self._is_closed = True
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _post(self, turn: _Submit | _Other) -> None:
        # A Ctrl-C in here would leave everybody without a thread, or with a lock taken.
        with Uninterrupted(), self._lock:
            if self._is_closed:
                raise StoreError(f"store {self._where} was closed; open it again")
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="lightwork-sender", daemon=True)
                thread.start()
                self._thread = thread
            self._waiting.put(turn)

    def _run(self) -> None:
        left: list[_Turn] = []
        while (turn := left.pop() if left else self._waiting.get()) is not None:
            if isinstance(turn, _Submit):
                bundle, left = self._bundle(turn)
                self._send([one for one in bundle if one.future.set_running_or_notify_cancel()])
            elif turn.future.set_running_or_notify_cancel():
                _settle(turn.future, turn.call)
            del turn

    def _bundle(self, first: _Submit) -> tuple[list[_Submit], list[_Turn]]:
        """Return the submits that go out together, and what came behind them, if anything did."""
        bundle, jobs = [first], len(first.jobs)
        with contextlib.suppress(Empty):
            while jobs < _MOST_JOBS:
                turn = self._waiting.get_nowait()
                if not isinstance(turn, _Submit):
                    return bundle, [turn]
                bundle.append(turn)
                jobs += len(turn.jobs)
        return bundle, []

    def _send(self, bundle: list[_Submit]) -> None:
        if len(bundle) > 1 and self._send_together(bundle):
            return
        for one in bundle:
            _settle(one.future, functools.partial(self._submit, one.jobs, one.told))

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


def _settle(future: Future[T], call: Callable[[], T]) -> None:
    try:
        result = call()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
