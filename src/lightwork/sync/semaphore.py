"""Semaphore and BoundedSemaphore: a number of grants, at every reach."""

import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from lightwork.errors import Error
from lightwork.machines.shapes import Plain
from lightwork.sync.host import Host, Refusal
from lightwork.sync.primitive import Primitive, time_limit

_Question = tuple[str, tuple[Plain, ...]]
# Seconds that a Ctrl-C waits for what it has cut off.
_SOON: Final = 1.0


class Semaphore(Primitive):
    """A semaphore as `threading.Semaphore`. What a process has had and nobody has released is free again when it dies.

    Args:
        value: How many may have it at once.
        name: Found under it from everywhere; "": unnamed, found by whoever gets this object.
        where: "threads", "processes", or the URL of a store or server; see `open_host`.

    Raises:
        ValueError: `value` is negative.
    """

    __module__ = "lightwork"
    _is_bounded = False

    def __init__(self, value: int = 1, *, name: str = "", where: str | Host = "processes") -> None:
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        self._open(where, "semaphore", name, (value, self._is_bounded))

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Take one; return whether it was had.

        Args:
            blocking: Wait for it.
            timeout: Seconds to wait at most; None: without end.

        Raises:
            LockLost: This process's session at the host has ended.
            StoreUnavailable: The host cannot be reached.
        """
        if not blocking:
            if timeout is not None:
                raise ValueError("can't specify timeout for non-blocking acquire")
            token = self._host.ask(self._place, "try", timeout=0.0, undo=_release_if_granted)
            return token is not None
        try:
            self._host.ask(
                self._place, "acquire", timeout=time_limit(timeout), undo=_release_if_granted
            )
        except TimeoutError:
            return False
        return True

    def release(self, n: int = 1) -> None:
        """Give back so many, or of an unbounded one make so many more.

        Raises:
            ValueError: `n` is less than 1; or more than were had, if it is bounded.
        """
        if n < 1:
            raise ValueError("n must be one or more")
        self._release(n)

    def _release(self, n: int, undo: Callable[[Plain], _Question] | None = None) -> None:
        try:
            self._host.ask(self._place, "release", (n,), undo=undo)
        except Refusal:
            raise ValueError("Semaphore released too many times") from None

    def _release_after_all(self, is_done: list[bool]) -> None:
        """Release if that was cut off before the host did it; one that does not answer is not waited for."""
        with contextlib.suppress(Error, Refusal, TimeoutError):
            # Whatever was cut off is taken back, or known to be done, before another question has its answer.
            self._host.ask(self._place, "value", timeout=_SOON)
            if not is_done:
                self._host.ask(self._place, "release", (1,), timeout=_SOON)

    def get_value(self) -> int:
        """Return how many are free now."""
        value: Any = self._host.ask(self._place, "value")
        return int(value)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        is_done: list[bool] = []

        def note(_answer: Plain) -> _Question:
            is_done.append(True)
            return "", ()

        try:
            self._release(1, note)
        except Exception:
            raise
        except BaseException:
            # A Ctrl-C, perhaps before the first step of it: the caller's block is over all the same.
            self._release_after_all(is_done)
            raise

    def __repr__(self) -> str:
        return self._shown(f"value={self.get_value()}")


class BoundedSemaphore(Semaphore):
    """A semaphore as `threading.BoundedSemaphore`: none is released that was not had; see `Semaphore`."""

    __module__ = "lightwork"
    _is_bounded = True

    def __repr__(self) -> str:
        return self._shown(f"value={self.get_value()}/{self._place.spec[0]!r}")


def _release_if_granted(token: Plain) -> _Question:
    return ("release", (1,)) if token is not None else ("", ())
