"""Deadlines: fails futures of running calls when their time is over.

For calls that cannot be killed. One daemon thread per executor, started with
the first deadline, ended by `stop()` or after a second without any: a thread
per call would cost more than most calls.
"""

import heapq
import itertools
import threading
from concurrent import futures
from concurrent.futures import InvalidStateError
from contextlib import suppress
from typing import Any, Final

from lightwork.clock import monotonic

# How long the thread waits for another deadline before it ends, in seconds.
IDLE: Final = 1.0


class Deadlines:
    """Futures with deadlines; `_changed` guards every field."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._serial = itertools.count(1)
        self._armed: dict[int, tuple[futures.Future[Any], float]] = {}
        # (deadline, serial); an entry whose serial is not armed any more is void.
        self._heap: list[tuple[float, int]] = []
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    def arm(self, future: futures.Future[Any], timeout: float, *, grace: float = 0.0) -> int:
        """Fail the future in `timeout` seconds and `grace`; return the number for `disarm`."""
        with self._changed:
            serial = next(self._serial)
            self._armed[serial] = (future, timeout)
            heapq.heappush(self._heap, (monotonic() + timeout + grace, serial))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="lightwork-deadlines", daemon=True
                )
                self._thread.start()
            elif self._heap[0][1] == serial:
                self._changed.notify()
        return serial

    def disarm(self, serial: int) -> None:
        """Forget the deadline; the call has ended."""
        with self._changed:
            self._armed.pop(serial, None)

    def stop(self) -> None:
        """End the thread when no deadline is armed; return when it has ended."""
        with self._changed:
            self._is_stopped = True
            thread = self._thread
            self._changed.notify()
        # A callback of a future that this thread failed may shut the executor down.
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while (due := self._wait_for_due()) is not None:
            future, timeout = due
            with suppress(InvalidStateError):  # The call may end in this very moment.
                future.set_exception(
                    TimeoutError(
                        f"the call did not end within its timeout of {timeout} s; a thread cannot "
                        "be killed, so it runs on: use processes to have it stopped"
                    )
                )
            del due, future

    def _wait_for_due(self) -> tuple[futures.Future[Any], float] | None:
        """Return a future whose time is over; None: nothing to do, the thread ends."""
        with self._changed:
            while True:
                self._drop_void()
                if not self._heap:
                    if self._is_stopped or not (self._changed.wait(IDLE) or self._heap):
                        self._thread = None
                        return None
                    continue
                deadline, serial = self._heap[0]
                if (left := deadline - monotonic()) <= 0:
                    heapq.heappop(self._heap)
                    return self._armed.pop(serial)
                self._changed.wait(left)

    def _drop_void(self) -> None:
        while self._heap and self._heap[0][1] not in self._armed:
            heapq.heappop(self._heap)
