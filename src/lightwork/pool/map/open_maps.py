"""Open maps: what an executor must see to before it may end.

A map that runs whole starts its calls little by little (feed.py). Until it has
started the last one the executor must not end: a shutdown waits for that, or, if it
may not wait, is done by the last of these maps. A map of a lazy input that nobody
has begun to read is only remembered, so that leaving the `with` block can say that
a part of it has never run.
"""

import os
import threading
from collections.abc import Callable
from typing import Final, Protocol

from lightwork.errors import UsageError


class Feeding(Protocol):
    """A map that starts its calls little by little."""

    def withdraw_rest(self) -> None:
        """Start no more calls; whoever reads is told that they were cancelled."""


class OpenMaps:
    """The maps of one executor. `_lock` guards all fields."""

    def __init__(self) -> None:
        # Reentrant: the garbage collector may drop a map in a thread that holds it.
        self._lock = threading.RLock()
        self._is_empty = threading.Condition(self._lock)
        self._feeding: dict[int, Feeding] = {}
        # How many items were taken of each lazy map that nobody has read.
        self._unread: dict[object, int] = {}
        self._end: Callable[[], object] | None = None

    def check_open(self) -> None:
        """Raise if the executor was shut down and only waits for what is still to start.

        Raises:
            RuntimeError: It was.
        """
        if self._end is not None:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def add(self, feed: Feeding) -> None:
        """Keep the executor from ending before this map has started its last call."""
        with self._lock:
            self._feeding[id(feed)] = feed
            _busy[id(self)] = self

    def remove(self, feed: Feeding) -> None:
        """Note that it has, or was cancelled; to be called Uninterrupted."""
        with self._lock:
            end = None
            if self._feeding.pop(id(feed), None) is not None and not self._feeding:
                _busy.pop(id(self), None)
                end = self._end
                self._is_empty.notify_all()
        if end is not None:
            end()

    def note_unread(self, token: object, taken: int) -> None:
        """Remember a lazy map of which only `taken` items run unless it is read."""
        self._unread[token] = taken

    def note_read(self, token: object) -> None:
        """Forget it."""
        self._unread.pop(token, None)

    def defer(self, end: Callable[[], object], *, cancel: bool) -> bool:
        """Return whether `end` is called later, by the last map that is still to start calls."""
        with self._lock:
            if not self._feeding:
                return False
            self._end = end
            feeding = list(self._feeding.values()) if cancel else []
        for feed in feeding:
            feed.withdraw_rest()
        return bool(self._feeding)

    def wait(self) -> None:
        """Return when every map has started its last call."""
        with self._lock:
            self._is_empty.wait_for(lambda: not self._feeding)

    def check_read(self) -> None:
        """Raise if a part of a map has never run because nobody read its results.

        Raises:
            UsageError: With what to do.
        """
        unread = list(self._unread.values())
        self._unread.clear()
        if unread:
            raise UsageError(unread_text(sum(unread)))


def unread_text(taken: int) -> str:
    """Return what is said of lazy maps whose results nobody has used."""
    return (
        f"the results of a map were never used: only its first {taken} items run, because an "
        "input without a length, or with a buffersize, is taken as the results are used; use "
        "them (for _ in executor.map(...): pass), close them, or pass a list"
    )


# Those that have something to start: a program must not end before.
_busy: Final[dict[int, OpenMaps]] = {}
os.register_at_fork(after_in_child=_busy.clear)


def wait_for_open_maps() -> None:
    """Return when every map of this process has started its last call."""
    for maps in list(_busy.values()):
        maps.wait()
