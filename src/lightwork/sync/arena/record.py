"""Record: what a lock of the arena has on it: its token, and who has it.

Written under the lock only. What is read of another's may be half written: good enough to say in a
text who has it.
"""

import os
from _thread import get_native_id
from dataclasses import dataclass
from mmap import mmap

from lightwork.sync.arena.layout import HOLDER, NOBODY, holder, record


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a lock.

    Attributes:
        pid: Of the process.
        started: When it started, in clock ticks since the boot: numbers of processes come again.
        thread: As the system numbers them.
    """

    pid: int
    started: int
    thread: int

    def is_in_this_process(self) -> bool:
        """Whether it is a thread of this one."""
        return (self.pid, self.started) == (_self.pid, _self.started)


def claim(memory: mmap, offset: int) -> tuple[int, bool]:
    """Write this thread in; return the token, and whether somebody else had died with the lock."""
    token, pid, _, _ = record.unpack_from(memory, offset)
    record.pack_into(memory, offset, token + 1, _self.pid, _self.started, get_native_id())
    return token + 1, pid != 0


def clear(memory: mmap, offset: int) -> None:
    """Write that nobody has it."""
    memory[offset + HOLDER : offset + HOLDER + len(NOBODY)] = NOBODY


def holder_of(memory: mmap, offset: int) -> Holder | None:
    """Return who has it, or had it and died; None: nobody."""
    pid, started, thread = holder.unpack_from(memory, offset + HOLDER)
    return Holder(pid, started, thread) if pid else None


def me() -> Holder:
    """Return what this thread writes."""
    return Holder(_self.pid, _self.started, get_native_id())


class _Self:
    """This process: looked up once, and again after a fork."""

    def __init__(self) -> None:
        self._look()
        os.register_at_fork(after_in_child=self._look)

    def _look(self) -> None:
        self.pid = os.getpid()
        self.started = start_time()


def start_time() -> int:
    """Return when this process started, in clock ticks since the boot; 0: the system does not say."""
    try:
        with open("/proc/self/stat", "rb") as file:  # noqa: PTH123 - pathlib: 10 ms to import
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0


_self = _Self()
