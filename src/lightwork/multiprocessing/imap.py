"""Imap: the results of a map one by one, as `imap` and `imap_unordered` of a pool return them.

An item that has failed raises in its place, and the next ones follow. An input without a length
is taken as results are read, in the thread that reads: it may be endless. What is left of it
when its pool is joined is taken then, so that all of it has run.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import repeat
from typing import Any, NoReturn, Self

from lightwork.multiprocessing.readings import Reading
from lightwork.multiprocessing.timeouts import TimeoutError as NotInTime


class IMapIterator(Iterator[Any]):
    """Results one by one.

    Args:
        reading: The map.
        on_end: Called once, when nothing is left to start.
    """

    __module__ = "lightwork.multiprocessing"

    def __init__(self, reading: Reading, on_end: Callable[[], None]) -> None:
        self._reading = reading
        self._on_end = on_end
        # Guards the rest; held while its owner waits for results.
        self._lock = threading.Lock()
        # Values and exceptions that were received and not handed out.
        self._items: deque[tuple[Any, BaseException | None]] = deque()
        self._is_at_end = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        # What is there needs no lock: whoever takes it takes it in one step.
        try:
            value, error = self._items.popleft()
        except IndexError:
            return self.next()
        return value if error is None else _raise(error)

    def next(self, timeout: float | None = None) -> Any:
        """Return the next result, or raise what that item raised; then the next one follows.

        Raises:
            StopIteration: There are no more.
            TimeoutError: It is not there after so many seconds; it can be asked for again.
        """
        if not self._lock.acquire(timeout=-1 if timeout is None else max(timeout, 0.0)):
            raise NotInTime
        try:
            while True:
                # Asked for in one step: others take what is there without the lock.
                with suppress(IndexError):
                    value, error = self._items.popleft()
                    break
                if self._is_at_end:
                    raise StopIteration
                self._receive(timeout)
        finally:
            self._lock.release()
        return value if error is None else _raise(error)

    def run_rest(self) -> None:
        """Take and run all that is left of the input; the results can be read after that."""
        with self._lock:
            while not self._is_at_end:
                self._receive(None)

    def _receive(self, timeout: float | None) -> None:
        try:
            batch = self._reading.next_batch(timeout)
        except NotInTime:
            raise
        except Exception as error:
            # Of the input, or why the rest is not run: behind all results.
            self._items.append((None, error))
            batch = None
        if batch is None:
            self._is_at_end = True
            self._on_end()
            return
        values, failures = batch
        errors = map(failures.get, range(len(values))) if failures else repeat(None)
        self._items.extend(zip(values, errors, strict=False))


def _raise(error: BaseException) -> NoReturn:
    try:
        # As it is, it would end the loop of who reads, without a word.
        is_end = isinstance(error, StopIteration)
        raise RuntimeError("the function raised StopIteration") if is_end else error
    finally:
        # The traceback holds this frame.
        del error
