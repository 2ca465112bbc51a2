"""Soon: calls that nobody waits for, in the order in which they were made, on one thread.

In order, because what cancels a job must not overtake what submits it. Databases on a server write so,
and a client of a server sends so (net/client/sender.py). `_lock` guards `_thread` and `_is_closed`.
"""

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

    def post(self, call: Callable[[], T]) -> Future[T]:
        """Run the call as soon as those before it have ended."""
        future: Future[T] = Future()
        # A Ctrl-C in here would leave everybody without a thread, or with a lock taken.
        with Uninterrupted(), self._lock:
            if self._is_closed:
                raise StoreError(f"store {self._where} was closed; open it again")
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                thread.start()
                self._thread = thread
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
            if future.set_running_or_notify_cancel():
                settle(future, call)
            del turn, call, future


def settle(future: Future[T], call: Callable[[], T]) -> None:
    """Run the call; its future ends as it does."""
    try:
        result = call()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
