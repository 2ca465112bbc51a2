"""Slots: which of the places that run jobs a job has, from 1: what {%} means."""

import heapq
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Slots:
    """Lends numbers, the lowest that is free.

    `_lock` guards `_free` and `_most`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[int] = []
        self._most = 0

    @contextmanager
    def lend(self) -> Iterator[int]:
        """Lend a number until the end of the block."""
        with self._lock:
            if self._free:
                number = heapq.heappop(self._free)
            else:
                self._most += 1
                number = self._most
        try:
            yield number
        finally:
            with self._lock:
                heapq.heappush(self._free, number)
