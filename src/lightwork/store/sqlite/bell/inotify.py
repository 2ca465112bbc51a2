"""Inotify: word from the kernel that somebody has touched a file; Linux only.

By ctypes, since the standard library has no door to it. A watch names a path and opens nothing.
"""

import ctypes
import errno
import os
from pathlib import Path
from typing import Final

_ATTRIBUTES: Final = 0x4
# An event with its name, or many.
_MOST: Final = 4096


class Inotify:
    """Watches one file for changes of its attributes, the time of its last change among them."""

    def __init__(self, path: Path) -> None:
        """Begin to watch.

        Raises:
            OSError: The system has no inotify, or no more of it for this user.
        """
        try:
            self._libc = ctypes.CDLL(None, use_errno=True)
            init, add = self._libc.inotify_init1, self._libc.inotify_add_watch
        except (AttributeError, TypeError) as error:
            raise OSError(errno.ENOSYS, "no inotify") from error
        self._fd = init(os.O_CLOEXEC)
        if self._fd < 0:
            raise _last_error()
        self._watch = add(self._fd, os.fsencode(path), _ATTRIBUTES)
        if self._watch < 0:
            refusal = _last_error()
            self.close()
            raise refusal

    def wait(self) -> None:
        """Return when the file was touched since the last call, or nobody watches it any more."""
        os.read(self._fd, _MOST)

    def stop(self) -> None:
        """End the watch: whoever waits returns, and would not again."""
        self._libc.inotify_rm_watch(self._fd, self._watch)

    def close(self) -> None:
        """Let go of the descriptor; nobody waits. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
