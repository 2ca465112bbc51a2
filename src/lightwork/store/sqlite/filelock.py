"""File lock: one writing process at a time, first come first served.

SQLite's own lock makes waiters sleep and try again, so under load an unlucky
process starves until its time-out ("database is locked"). `flock` queues in the
kernel, wakes the next waiter at once, and is released by the kernel when its
holder dies, however it dies. It stands *around* SQLite's lock, never instead of
it: a program that does not know about it is still kept out by BEGIN IMMEDIATE.

The lock file is never deleted: whoever did so while another waits would let two
processes hold "the" lock. It contains the number of the last process that held it,
for error texts only.
"""

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Final

from lightwork.errors import StoreError

# Never through a link, which somebody else may have put there: what it leads to would be
# written over. O_NONBLOCK: not to wait for whoever reads a pipe.
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class FileLock:
    """Exclusive between processes and between objects; not between threads of one object."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = os.open(path, _FLAGS, 0o666)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise _not_a_file(path, "a symbolic link") from error
            raise StoreError(
                f"cannot open the lock file {path}: {error.strerror}; "
                "let this user write the folder of the store"
            ) from error
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            self.close()
            raise _not_a_file(path, "no regular file")

    def __enter__(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        # A full disk must not stop those who free it.
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, b"%-20d\n" % os.getpid(), 0)

    def __exit__(self, *_error: object) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def ring(self) -> None:
        """Touch the file: who listens (bell/bell.py) looks whether anything has changed."""
        with contextlib.suppress(OSError):
            os.utime(self._fd)

    def last_holder(self) -> str:
        """Return the process that holds the lock or held it last, for an error text."""
        try:
            return os.pread(self._fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
        except OSError:
            return "unknown"

    def close(self) -> None:
        """Close the file; idempotent. A forked child's close leaves the parent's lock alone."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _not_a_file(path: Path, what: str) -> StoreError:
    return StoreError(
        f"the lock file {path} is {what}, and a store's lock file is a file of its own; "
        "see who has put it there, and remove it while no program uses the store"
    )
