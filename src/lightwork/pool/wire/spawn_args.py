"""Spawn args: initializer arguments that may only travel while a process is being made.

multiprocessing's locks, semaphores, queues and pipes refuse to be pickled at any
other time, and handing them to an initializer is what many programs do with the
standard library's executor. So while the initializer and its arguments are
pickled, we play the process that is being made: descriptors are collected here,
go with every child over the fork server's socket, and are found there by position.

Only objects made for the start methods `spawn` and `forkserver` can be handed
over; those of `fork` have no name by which another process could open them.
"""

import os
from typing import Final

from lightwork.by_value.dumping import dump_plain_first, send_by_value
from lightwork.pool.wire.spawn_fds import InheritedFd

# What one request to the fork server can carry, with room for our own.
_FDS_MAX: Final = 200


class Inheritance:
    """A pickled value, and the descriptors without which it cannot be loaded."""

    def __init__(self) -> None:
        self.data = b""
        self.fds: list[int] = []

    def close(self) -> None:
        """Close the descriptors; children have copies of their own. Idempotent."""
        while self.fds:
            os.close(self.fds.pop())


class _Spawning:
    """What objects of multiprocessing ask of the process that is being made."""

    DupFd = InheritedFd

    def __init__(self, fds: list[int]) -> None:
        self._fds = fds

    def duplicate_for_child(self, fd: int) -> int:
        if len(self._fds) == _FDS_MAX:
            raise ValueError(f"initargs hold more than {_FDS_MAX} pipes and queues")
        self._fds.append(os.dup(fd))
        return len(self._fds) - 1


def dump_inheritance(value: object) -> Inheritance:
    """Pickle a value that may hold locks, queues and pipes of multiprocessing.

    Raises:
        Exception: Whatever the value's own pickling raised.
    """
    # 12 ms to import, and most programs have neither initializer nor finalizer.
    from multiprocessing import context  # noqa: PLC0415 - see above

    found = Inheritance()
    context.set_spawning_popen(_Spawning(found.fds))  # type: ignore[arg-type]
    try:
        found.data = _dump(value, found)
    except BaseException:
        found.close()
        raise
    finally:
        context.set_spawning_popen(None)
    return found


def _dump(value: object, found: Inheritance) -> bytes:
    # As above.
    from multiprocessing.reduction import ForkingPickler  # noqa: PLC0415 - see above

    def by_value(value: object) -> bytes:
        found.close()
        reducers = ForkingPickler._extra_reducers  # type: ignore[attr-defined]
        return send_by_value(value, reducers=reducers)

    return dump_plain_first(value, by_value, lambda *what: bytes(ForkingPickler.dumps(*what)))
