"""Timer thread: does what is to be done at some instant, for a pool of threads.

It fails the future of a running call whose time is over, because the call
itself cannot be killed, and lets a call begin that had to wait for its time.
One daemon thread per executor, started with the first deadline, ended by
`stop()` or after a second without any: a thread per call would cost more than
most calls.
"""

import itertools
import logging
import threading
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Any, Final

from lightwork.clock import monotonic
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.pool.call.log_failure import log_failure
from lightwork.pool.call.timer_heap import NEVER, TimerHeap

log = logging.getLogger(__name__)

# How long the thread waits for another deadline before it ends, in seconds.
IDLE: Final = 1.0


class TimerThread:
    """Does things in time; `_changed` guards every field."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._serial = itertools.count(1)
        self._heap: TimerHeap[Callable[[], object]] = TimerHeap()
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    def arm(self, future: futures.Future[Any], timeout: float, *, grace: float = 0.0) -> int:
        """Fail the future in `timeout` seconds and `grace`; return the number for `disarm`."""
        return self.act_in(timeout + grace, partial(_fail_overdue, future, timeout))

    def act_in(self, seconds: float, act: Callable[[], object]) -> int:
        """Do something later, which must be quick and raise nothing; return the number for `disarm`.

        Raises:
            RuntimeError: The system gives no more threads.
        """
        with self._changed:
            serial = next(self._serial)
            is_first = self._heap.look_at(serial, act, monotonic() + seconds)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="lightwork-timers", daemon=True)
                # Else a Ctrl-C, or a system without threads, would leave it to nobody.
                with Uninterrupted():
                    thread.start()
                    self._thread = thread
            elif is_first:
                self._changed.notify()
        return serial

    def disarm(self, serial: int) -> None:
        """Forget the deadline."""
        with self._changed:
            self._heap.drop(serial)

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
            try:
                due()
            except BaseException:  # Whatever it was: this thread keeps the time of all others.
                log_failure(log, "deadline_failed")
            del due

    def _wait_for_due(self) -> Callable[[], object] | None:
        """Return what is to be done now; None: nothing ever, the thread ends."""
        with self._changed:
            while (left := self._heap.next() - monotonic()) > 0:
                if left == NEVER:
                    if self._is_stopped or not (self._changed.wait(IDLE) or self._heap):
                        self._thread = None
                        return None
                else:
                    # A longer wait than the system takes ends early and is begun again.
                    self._changed.wait(min(left, threading.TIMEOUT_MAX))
            # One by one: what is taken can be disarmed no more.
            return self._heap.take_next()


def _fail_overdue(future: futures.Future[Any], timeout: float) -> None:
    with suppress(InvalidStateError):  # The call may end in this very moment.
        future.set_exception(
            TimeoutError(
                f"the call did not end within its timeout of {timeout} s; a thread cannot "
                "be killed, so it runs on: use processes to have it stopped"
            )
        )
