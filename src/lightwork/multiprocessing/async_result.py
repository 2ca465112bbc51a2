"""Async result: what the asynchronous methods of a pool return.

Callbacks run before anybody is told that the result is there, as in the standard library, in the thread
that has received it: while one works the pool hands out nothing. What one raises is
logged, and harms nobody.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any

from lightwork.clock import monotonic
from lightwork.multiprocessing.readings import Reading
from lightwork.multiprocessing.timeouts import TimeoutError as NotInTime

Callback = Callable[[Any], object]

log = logging.getLogger(__name__)


class AsyncResult:
    """The result of a call or a map, now or later."""

    __module__ = "lightwork.multiprocessing"

    def __init__(self, callback: Callback | None, error_callback: Callback | None) -> None:
        self._callback = callback
        self._error_callback = error_callback
        has_callbacks = callback is not None or error_callback is not None
        # Set when the callbacks have run.
        self._told = threading.Event() if has_callbacks else None

    def get(self, timeout: float | None = None) -> Any:
        """Return the result, or raise what the function raised.

        Raises:
            TimeoutError: It is not there after so many seconds.
            WorkerLost: The process that ran it died.
            CancelledError: The pool was terminated before it ran.
        """
        if not self._is_there_within(timeout):
            raise NotInTime
        value, error = self._outcome()
        if error is None:
            return value
        try:
            raise error
        finally:
            # The traceback holds this frame.
            del error

    def wait(self, timeout: float | None = None) -> None:
        """Return when the result is there, or after so many seconds."""
        self._is_there_within(timeout)

    def ready(self) -> bool:
        """Whether the result is there."""
        return self._is_over() if self._told is None else self._told.is_set()

    def successful(self) -> bool:
        """Whether it was returned, not raised.

        Raises:
            ValueError: It is not there yet.
        """
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        return self._outcome()[1] is None

    def _is_there_within(self, timeout: float | None) -> bool:
        """Wait; return whether it is there."""
        return self._is_over_within(timeout) if self._told is None else self._told.wait(timeout)

    def _tell(self) -> None:
        """Run the callback that fits; then let everybody know."""
        assert self._told is not None
        try:
            value, error = self._outcome()
            if error is None and self._callback is not None:
                self._callback(value)
            elif error is not None and self._error_callback is not None:
                self._error_callback(error)
        except BaseException:
            log.exception("pool_callback_failed")
        finally:
            self._told.set()

    def _is_over(self) -> bool:
        raise NotImplementedError

    def _is_over_within(self, timeout: float | None) -> bool:
        raise NotImplementedError

    def _outcome(self) -> tuple[Any, BaseException | None]:
        """Return what it came to; it is over."""
        raise NotImplementedError


class ApplyResult(AsyncResult):
    """The result of one call."""

    __module__ = "lightwork.multiprocessing"

    def __init__(
        self,
        future: Future[Any],
        callback: Callback | None = None,
        error_callback: Callback | None = None,
    ) -> None:
        super().__init__(callback, error_callback)
        self._future = future
        if self._told is not None:
            future.add_done_callback(lambda _: self._tell())

    def _is_over(self) -> bool:
        return self._future.done()

    def _is_over_within(self, timeout: float | None) -> bool:
        with suppress(TimeoutError, CancelledError):
            self._future.exception(timeout)
        return self._future.done()

    def _outcome(self) -> tuple[Any, BaseException | None]:
        try:
            error = self._future.exception()
        except CancelledError as cancelled:
            error = cancelled
        return (None, error) if error is not None else (self._future.result(), None)


class MapResult(AsyncResult):
    """The results of a map, all in one list; of several errors the first."""

    __module__ = "lightwork.multiprocessing"

    def __init__(
        self,
        reading: Reading,
        callback: Callback | None = None,
        error_callback: Callback | None = None,
    ) -> None:
        super().__init__(callback, error_callback)
        self._reading = reading
        # Guards the rest; held while its owner waits for results.
        self._lock = threading.Lock()
        self._values: list[Any] = []
        self._error: BaseException | None = None
        self._is_read = False
        if self._told is not None:
            reading.when_over(self._tell)

    def _is_over(self) -> bool:
        return self._is_read or self._reading.is_over()

    def _is_over_within(self, timeout: float | None) -> bool:
        with suppress(NotInTime):
            self._read(timeout)
        return self._is_read

    def _outcome(self) -> tuple[list[Any], BaseException | None]:
        self._read(None)
        return self._values, self._error

    def _read(self, timeout: float | None) -> None:
        deadline = None if timeout is None else monotonic() + timeout
        if not self._lock.acquire(timeout=-1 if timeout is None else max(timeout, 0.0)):
            raise NotInTime
        try:
            while not self._is_read:
                self._read_one(None if deadline is None else max(deadline - monotonic(), 0.0))
        finally:
            self._lock.release()

    def _read_one(self, timeout: float | None) -> None:
        try:
            batch = self._reading.next_batch(timeout)
        except NotInTime:
            raise
        except (Exception, CancelledError) as error:
            self._error = self._error or error
            batch = None
        if batch is None:
            self._is_read = True
            return
        values, failures = batch
        if self._values:
            self._values += values
        else:
            # Often half of all: not worth a copy.
            self._values = values
        if failures and self._error is None:
            self._error = failures[min(failures)]
