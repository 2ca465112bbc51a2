"""Memory: the bytes of a Value or an Array, in the arena.

A lock of the region parts those who write from those who read. A number of one, two, four or eight
bytes needs none to be read: processors read and write them whole. Who is killed in the middle of writing more than
that leaves the half of it.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from lightwork.sync.arena.arena import Allot, Arena
from lightwork.sync.arena.layout import RECORD
from lightwork.sync.arena.lock import ArenaLock
from lightwork.sync.host import Place

T = TypeVar("T")

_WHOLE: Final = frozenset({1, 2, 4, 8})


class ArenaMemory:
    """Bytes that all processes see; as many as there were at first.

    Raises:
        UsageError: They were made with another `spec`.
    """

    def __init__(self, arena: Arena, place: Place, allot: Allot) -> None:
        self._lock = ArenaLock(arena, place, allot, is_reentrant=False)

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to before `stop`, as they are at one moment."""
        if stop - start in _WHOLE and not start % (stop - start):
            return self._read(start, stop)
        return self._alone(lambda: self._read(start, stop))

    def write(self, start: int, data: bytes) -> None:
        """Put `data` in the place of what is from `start` on."""
        self._alone(lambda: self._write(start, data))

    def swap(self, start: int, expected: bytes, data: bytes) -> bool:
        """Write `data`, of the same length, if `expected` is there; return whether it was."""

        def swap() -> bool:
            if self._read(start, start + len(expected)) != expected:
                return False
            self._write(start, data)
            return True

        return self._alone(swap)

    def view(self, kind: type[Any]) -> Any:
        """Return an object of this class of ctypes whose bytes are these; it is read and written without a lock."""
        memory, offset = self._lock.region()
        made = kind.from_buffer(memory, offset + RECORD)
        # The region is another's when nothing here has it any more.
        made._lightwork_memory = self
        return made

    def _alone(self, act: Callable[[], T]) -> T:
        token, _ = self._lock.acquire(None)
        try:
            return act()
        finally:
            try:
                self._lock.release()
            except BaseException:
                # A Ctrl-C may come before its first step: then nobody could read or write any more.
                self._lock.release_grant(token)
                raise

    def _read(self, start: int, stop: int) -> bytes:
        memory, offset = self._lock.region()
        return memory[offset + RECORD + start : offset + RECORD + stop]

    def _write(self, start: int, data: bytes) -> None:
        memory, offset = self._lock.region()
        memory[offset + RECORD + start : offset + RECORD + start + len(data)] = data
