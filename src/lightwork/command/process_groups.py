"""Process groups: process groups that end with this process, however it ends.

Somebody must be left to kill a group after a SIGKILL of this process, so a
group is led by a *watcher*: a shell that waits for the end of a pipe whose only
writer is this process, and then kills its own group.

    this process ──pipe──> watcher (leads the group) ──kill──> the group

Why not PR_SET_PDEATHSIG: it reaches the program, but not what the program
started, and it needs code between fork and exec, which may deadlock in a
process with threads. The watcher costs one start of /bin/sh, 1 ms. It also
keeps the group's number from being used again: it is not reaped until the
group was killed, so that no stranger can be hit.

Whoever runs thousands of short programs spares that start with `Groups`, which
lends a group again once a run has left nobody in it. That is seen by a *tether*: the
write end of a pipe that the program inherits, and all that it starts; when
nobody holds it any more, nobody is left. What let go of the tether but stayed
in the group is killed with the group, later.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

# Ignores what a terminal or a polite kill sends to the group: it must be last.
_WATCHER: Final = ("/bin/sh", "-c", "trap '' HUP INT TERM; read -r _; kill -s KILL 0")


class Group:
    """A process group with its watcher.

    Attributes:
        number: What the system calls it.
        is_spent: Whether it must not be lent again.
    """

    def __init__(self) -> None:
        reader, self._writer = os.pipe()
        try:
            self._watcher = _start_watcher(reader)
        except BaseException:
            os.close(self._writer)
            raise
        self._tether = -1
        self.number = self._watcher.pid
        self.is_spent = False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all in it."""
        # macOS answers EPERM when only zombies are left.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.number, number)

    def end(self) -> None:
        """Kill all in it, the watcher last."""
        self.signal(signal.SIGKILL)
        self._watcher.wait()
        os.close(self._writer)
        self._drop_tether()

    def new_tether(self) -> int:
        """Return a descriptor for a program to inherit; it is the caller's to close."""
        self._drop_tether()
        self._tether, held = os.pipe()
        os.set_blocking(self._tether, False)
        return held

    def is_left(self) -> bool:
        """Whether nobody who inherited the tether is there any more, but the watcher is."""
        if self.is_spent or self._watcher.poll() is not None:
            return False
        try:
            return not os.read(self._tether, 1)
        except BlockingIOError:
            return False

    def _drop_tether(self) -> None:
        if self._tether >= 0:
            os.close(self._tether)
            self._tether = -1


class Groups:
    """Lends groups, again and again.

    `_lock` guards `_idle`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Group] = []

    @contextmanager
    def lend(self) -> Iterator[tuple[Group, int]]:
        """Lend a group and a tether for the program to inherit, which is closed by us."""
        with self._lock:
            group = self._idle.pop() if self._idle else None
        group = group or Group()
        is_left = False
        try:
            tether = group.new_tether()
            try:
                yield group, tether
            finally:
                os.close(tether)
            is_left = group.is_left()
        finally:
            if is_left:
                with self._lock:
                    self._idle.append(group)
            else:
                group.end()

    def close(self) -> None:
        """End the groups that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for group in idle:
            group.end()


@contextmanager
def new_group() -> Iterator[Group]:
    """Start a group and kill all in it at the end."""
    group = Group()
    try:
        yield group
    finally:
        group.end()


def _start_watcher(reader: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            _WATCHER,
            stdin=reader,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            process_group=0,
        )
    finally:
        os.close(reader)
