"""Soon: calls that nobody waits for, in the order in which they were made, on one thread.

In order, because what cancels a job must not overtake what submits it. Databases on a server write so,
and a client of a server sends so (net/client/sender.py). `_lock` guards `_thread` and `_is_closed`.
"""

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from lightwork.errors import StoreError
from lightwork.locks.uninterrupted import Uninterrupted

T = TypeVar("T")


class Soon:
    """Runs calls one after another; a future that can be cancelled has not begun.

    Args:
        where: The store, for people.
        name: Of the thread.
    """

    def __init__(self, where: str, name: str = "lightwork-writer") -> None:
        self._where = where
        self._name = name
        self._is_closed = False
        self.be_new()

    def be_new(self) -> None:
        """Begin without a thread, in a forked child too."""
        self._lock = threading.Lock()
        self._waiting: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        # The second is counted by the thread alone.
        self._posted = self._ended = 0

    @property
    def is_idle(self) -> bool:
        """Whether all that was posted has ended."""
        return self._posted == self._ended

    def post(self, call: Callable[[], T], *, is_begun: bool = False) -> Future[T]:
        """Run the call as soon as those before it have ended; `is_begun`: it is too late to cancel it."""
        future: Future[T] = Future()
        if is_begun:
            future.set_running_or_notify_cancel()
        # A Ctrl-C in here would leave everybody without a thread, or with a lock taken.
        with Uninterrupted(), self._lock:
            if self._is_closed:
                raise StoreError(f"store {self._where} was closed; open it again")
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                thread.start()
                self._thread = thread
            self._posted += 1
            self._waiting.put((call, future))
        return future

    def close(self) -> None:
        """Run what was posted, then end the thread; idempotent."""
        with Uninterrupted(), self._lock:
            thread = self._thread
            if thread is not None and not self._is_closed:
                self._waiting.put(None)
            self._is_closed = True
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while (turn := self._waiting.get()) is not None:
            call, future = turn
            if future.running() or future.set_running_or_notify_cancel():
                settle(future, functools.partial(self._counted, call))
            else:
                self._ended += 1
            del turn, call, future

    def _counted(self, call: Callable[[], T]) -> T:
        try:
            return call()
        finally:
            # Before whoever waits for it is told, who may have the next one.
            self._ended += 1


def settle(future: Future[T], call: Callable[[], T]) -> None:
    """Run the call; its future ends as it does."""
    try:
        result = call()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
