"""Worker file: whether a worker's process is there, told without the database.

Beside a SQLite file lies a folder with a small file for each worker that is at work:

    work.db-workers/<id of the incarnation>     locked by the worker for as long as it lives
                                                in it: until when it may act, twice

All programs that use one SQLite file run under one kernel (network file systems are
refused), whatever containers they are in. So the kernel itself says, exactly and at
once, whether a worker has died: its lock is gone. No process number is compared, which
another process, or another container, may have too.

The instant is the kernel's monotonic clock. A worker renews its lease by writing it,
which needs no lock of the database: somebody may write a million jobs meanwhile, or
hold the database for an hour, and whoever runs jobs goes on. A worker that is stopped
or hangs keeps its lock and does not renew; it is late, as before.

    the file is locked, the instant to come      alive, whatever the database says
    the file is locked, the instant over         late: its lease is over
    the file is not locked                       dead: rescued at once
    no such file, or it cannot be judged         unknown: the database's clock decides

The worker trusts its lease only if it has written before the end of the last trust
(lease.py), which is sooner than the instant that was written. So nobody who has seen
that instant pass can have been too early.

A file comes to be under another name, and gets its own when it is locked: whoever sees
it unlocked sees a dead worker.
"""

import contextlib
import fcntl
import functools
import os
import stat
import time
from enum import Enum
from pathlib import Path
from typing import Final
from uuid import UUID

_BILLION: Final = 1_000_000_000
# Neither through links nor waiting for whoever writes into a pipe: no worker makes such.
_LOOKING: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_signs: Final[set["Sign"]] = set()
# Seconds for which a look at a folder serves all who ask; when it was, and what was found.
_LOOK: Final = 0.25
_looks: Final[dict[Path, tuple[float, bool]]] = {}


class Life(Enum):
    """What can be told about a worker; see above."""

    ALIVE = "alive"
    LATE = "late"
    DEAD = "dead"
    UNKNOWN = "unknown"


class Sign:
    """The file of a worker of this process.

    Raises:
        FileExistsError: What lies in the folder's place is no folder.
        OSError: The file cannot be made.
    """

    def __init__(self, folder: Path, worker_id: UUID, seconds: float) -> None:
        folder.mkdir(exist_ok=True)
        self._path = folder / worker_id.hex
        new = self._path.with_suffix(".new")
        self._fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        self.renew(seconds)
        new.rename(self._path)
        _signs.add(self)

    def renew(self, seconds: float) -> None:
        """Say that the worker may act for so long from now on."""
        until = time.monotonic_ns() + int(seconds * _BILLION)
        # Twice: whoever reads half of the old one and half of the new one can tell.
        os.pwrite(self._fd, f"{until:20d} {until:20d} {_clock()}\n".encode(), 0)

    def end(self, *, is_left: bool) -> None:
        """Let go of the lock, and remove the file unless it is left to tell of a death."""
        _signs.discard(self)
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        if not is_left:
            with contextlib.suppress(OSError):
                self._path.unlink()
        os.close(fd)

    def close_inherited(self) -> None:
        """Let go of the lock in a forked child: it is the parent's."""
        os.close(self._fd)
        self._fd = -1


def life_of(folder: Path, worker_id: UUID) -> Life:
    """Tell whether a worker lives."""
    try:
        # Asked for every worker by every worker: a Path would cost more than all else.
        fd = os.open(f"{folder}/{worker_id.hex}", _LOOKING)
    except OSError:
        return Life.UNKNOWN
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return Life.UNKNOWN
        if _is_unlocked(fd):
            return Life.DEAD
        return _judged(os.pread(fd, 200, 0).decode(errors="replace").split())
    finally:
        os.close(fd)


def lives_in(folder: Path) -> dict[UUID, Life]:
    """Tell of each worker that has a file whether it lives."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - pathlib takes three times as long
    except OSError:
        return {}
    found = {}
    for name in names:
        # Others are about to be made, or are no worker's.
        with contextlib.suppress(ValueError):
            worker_id = UUID(hex=name)
            found[worker_id] = life_of(folder, worker_id)
    return found


def is_one_dead(folder: Path) -> bool:
    """Whether such a worker was there a moment ago: all workers of a process look once."""
    now = time.monotonic()
    looked_at, found = _looks.get(folder, (-_LOOK, False))
    if now - looked_at >= _LOOK:
        found = Life.DEAD in lives_in(folder).values()
        _looks[folder] = (now, found)
    return found


def forget(folder: Path, worker_id: UUID) -> None:
    """Remove the file of a worker whose death is in the database."""
    _looks.pop(folder, None)
    with contextlib.suppress(OSError):
        (folder / worker_id.hex).unlink()


def _judged(words: list[str]) -> Life:
    match words:
        case [until, again, clock] if until == again and until.isdecimal():
            if clock != _clock():
                return Life.UNKNOWN
            return Life.LATE if int(until) < time.monotonic_ns() else Life.ALIVE
        case _:
            # Caught in the middle of a renewal.
            return Life.ALIVE


def _is_unlocked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@functools.cache
def _clock() -> str:
    """Name the monotonic clock: containers may have one of their own."""
    try:
        return str(Path("/proc/self/ns/time").readlink())
    except OSError:
        return "time"


def _close_in_child() -> None:
    for sign in list(_signs):
        sign.close_inherited()
    _signs.clear()
    # Only the children of a process can be moved into another time.
    _clock.cache_clear()


os.register_at_fork(after_in_child=_close_in_child)
