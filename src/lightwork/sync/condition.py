"""Condition: wait under a lock until another says that something has changed, at every reach."""

from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Any, Protocol, TypeVar

from lightwork.errors import Error
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.machines.shapes import Plain
from lightwork.sync.host import Host, Refusal
from lightwork.sync.lock import own_lock
from lightwork.sync.primitive import Primitive, time_limit

T = TypeVar("T")


class AnyLock(Protocol):
    """What a Condition needs of its lock: one of this package or any other."""

    def acquire(self) -> object:
        """Take it."""

    def release(self) -> object:
        """Let go of it."""


class Condition(Primitive):
    """A condition as `threading.Condition`.

    Who waits is on the host's list before it lets go of the lock, and what is notified in between finds it
    there: no wake-up is lost. Who dies while it waits leaves the list.

    Args:
        lock: Held by whoever waits or notifies; default: an RLock of its own, at the same host.
        name: Found under it from everywhere, its own lock too; "": unnamed, found by whoever gets this object.
        where: "threads", "processes", or the URL of a store or server; see `open_host`.
    """

    __module__ = "lightwork"
    # Those of its lock.
    acquire: Callable[..., Any]
    release: Callable[[], Any]

    def __init__(
        self, lock: AnyLock | None = None, *, name: str = "", where: str | Host = "processes"
    ) -> None:
        self._open(where, "condition", name)
        self._use(own_lock(self) if lock is None else lock)

    def _use(self, lock: Any) -> None:
        # Any: a lock may or may not have the three private methods that `threading` knows of.
        self._lock: Any = lock
        self.acquire = lock.acquire
        self.release = lock.release

    def wait(self, timeout: float | None = None) -> bool:
        """Let go of the lock, wait to be notified, take the lock again; return whether it was notified.

        Args:
            timeout: Seconds to wait for a notification; the lock is then waited for without end.

        Raises:
            RuntimeError: The lock is not held by the caller.
            LockLost: This process's session at the host has ended.
        """
        self._check_owned("wait on")
        limit = time_limit(timeout)
        ticket: Any = self._host.ask(self._place, "enlist", undo=_leave)
        held, is_released = None, False
        try:
            with Uninterrupted():
                held, is_released = self._release_save(), True
            self._host.ask(self._place, "wait", (ticket,), timeout=limit, undo=_notify)
        except TimeoutError:
            return False
        except BaseException:
            with suppress(Refusal, Error):
                self._host.ask(self._place, "leave", (ticket,))
            raise
        finally:
            # Whatever ends the wait, the caller's block goes on with the lock, and lets go of it. Twice: a Ctrl-C
            # may come just before it is put off.
            try:
                if is_released:
                    with Uninterrupted():
                        self._acquire_restore(held)
                        is_released = False
            finally:
                if is_released:
                    with Uninterrupted():
                        self._acquire_restore(held)
        return True

    def wait_for(self, predicate: Callable[[], T], timeout: float | None = None) -> T:
        """Wait until `predicate()` is true, at most so many seconds; return what it returned last."""
        end = None if timeout is None else monotonic() + timeout
        result = predicate()
        while not result:
            left = None if end is None else end - monotonic()
            if left is not None and left <= 0:
                break
            self.wait(left)
            result = predicate()
        return result

    def notify(self, n: int = 1) -> None:
        """Wake so many of those who wait, who have waited longest.

        Raises:
            RuntimeError: The lock is not held by the caller.
        """
        self._check_owned("notify")
        self._host.ask(self._place, "notify", (n,))

    def notify_all(self) -> None:
        """Wake all who wait; RuntimeError as for `notify`."""
        self._check_owned("notify")
        self._host.ask(self._place, "notify_all")

    def __enter__(self) -> object:
        return self._lock.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> object:
        return self._lock.__exit__(kind, error, trace)

    def _check_owned(self, verb: str) -> None:
        if not self._is_owned():
            raise RuntimeError(f"cannot {verb} un-acquired lock")

    def _is_owned(self) -> bool:
        if hasattr(self._lock, "_is_owned"):
            return bool(self._lock._is_owned())
        # As `threading` does: a plain lock that can be taken is not held by the caller.
        if self._lock.acquire(False):
            self._lock.release()
            return False
        return True

    def _release_save(self) -> Any:
        if hasattr(self._lock, "_release_save"):
            return self._lock._release_save()
        return self._lock.release()

    def _acquire_restore(self, held: Any) -> None:
        if hasattr(self._lock, "_acquire_restore"):
            self._lock._acquire_restore(held)
        else:
            self._lock.acquire()

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "lock": self._lock}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._use(state["lock"])

    def __repr__(self) -> str:
        return self._shown(repr(self._lock))


def _leave(ticket: Plain) -> tuple[str, tuple[Plain, ...]]:
    return "leave", (ticket,)


def _notify(_answer: Plain) -> tuple[str, tuple[Plain, ...]]:
    """Pass on the wake-up of one who was interrupted as it came."""
    return "notify", (1,)
