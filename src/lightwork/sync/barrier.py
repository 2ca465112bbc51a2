"""Barrier: so many callers go on together, at every reach."""

from collections.abc import Callable
from threading import BrokenBarrierError
from typing import Any

from lightwork.machines.shapes import Plain
from lightwork.sync.host import Host, Refusal
from lightwork.sync.primitive import Primitive, time_limit


class Barrier(Primitive):
    """A barrier as `threading.Barrier`, which breaks when one who waits at it dies.

    Args:
        parties: How many wait for each other.
        action: Called by the last one of each round, before any goes on; that of its own object.
        timeout: Of each `wait`, in seconds, unless that says another; None: without end.
        name: Found under it from everywhere; "": unnamed, found by whoever gets this object.
        where: "threads", "processes", or the URL of a store or server; see `open_host`.

    Raises:
        ValueError: `parties` is less than 1.
    """

    __module__ = "lightwork"

    def __init__(
        self,
        parties: int,
        action: Callable[[], object] | None = None,
        timeout: float | None = None,
        *,
        name: str = "",
        where: str | Host = "processes",
    ) -> None:
        if parties < 1:
            raise ValueError("parties must be > 0")
        self._action, self._timeout = action, timeout
        self._open(where, "barrier", name, (parties,))

    def wait(self, timeout: float | None = None) -> int:
        """Wait until all are there; return this one's place in the round, from 0 to parties - 1.

        Raises:
            BrokenBarrierError: Somebody has gone away (time-out, death, error in the action), or has
                called `abort` or `reset`; or it was broken before.
        """
        limit = time_limit(self._timeout if timeout is None else timeout)
        action, last = self._action, self.parties - 1
        try:
            place: Any = self._host.ask(
                self._place, "wait", (action is not None,), timeout=limit, undo=self._undo_wait
            )
        except (Refusal, TimeoutError):
            raise BrokenBarrierError from None
        # No function is called before the action unless it is this one's to call: see below.
        try:
            if place == last and action is not None:
                action()
                self._host.ask(self._place, "pass")
        except Refusal:
            raise BrokenBarrierError from None
        except BaseException:
            # The others wait for this one.
            self.abort()
            raise
        return place  # type: ignore[no-any-return]

    def _undo_wait(self, place: Plain) -> tuple[str, tuple[Plain, ...]]:
        """Whoever is to act, and does not, breaks it for those who wait; others have passed."""
        is_to_act = self._action is not None and place == self.parties - 1
        return ("abort" if is_to_act else "", ())

    def reset(self) -> None:
        """Begin anew; who waits gets a BrokenBarrierError."""
        self._host.ask(self._place, "reset")

    def abort(self) -> None:
        """Break it, until `reset`; who waits, and who comes, gets a BrokenBarrierError."""
        self._host.ask(self._place, "abort")

    @property
    def parties(self) -> int:
        """How many wait for each other."""
        parties: Any = self._place.spec[0]
        return int(parties)

    @property
    def n_waiting(self) -> int:
        """How many wait now."""
        return self._state()[0]

    @property
    def broken(self) -> bool:
        """Whether it is broken."""
        return self._state()[1]

    def _state(self) -> tuple[int, bool]:
        state: Any = self._host.ask(self._place, "state")
        _, waiting, is_broken = state
        return waiting, is_broken

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "action": self._action, "timeout": self._timeout}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._action, self._timeout = state["action"], state["timeout"]
        super().__setstate__(state)

    def __repr__(self) -> str:
        waiting, is_broken = self._state()
        return self._shown("broken" if is_broken else f"waiters={waiting}/{self.parties}")
