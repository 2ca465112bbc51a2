"""Stopping: how a worker is told to end, and how long what it runs may still take.

By a signal, or `stop`: running jobs get the grace period; asked again, none. Through the
store (`lightwork workers drain`): they get all the time they need. Either way it claims
nothing more. Used by its loop; only `ask` may come from any thread.

A store that fails, or says nothing, does not hold up the end for ever. Once nothing runs any more, it has so long:

    asked ─── grace, while jobs run ─── the last one ends, or is killed ─── PATIENCE ─── the worker ends
                                                                            recorded and signed off before: ends at once

What it held then is left to whoever rescues it, when its lease is over: a worker that ends with attempts which it could
not bring to an end does not sign off. Signing off releases without blame, which may be wrong for a job that must
not run twice. After the second request it ends so the first time that the store fails. A call that does not even return is
cut off by whoever watches over the loop (service.py).
"""

from typing import Final

from lightwork.clock import monotonic
from lightwork.errors import StoreUnavailable

FOREVER: Final = float("inf")
# A server that is restarted is back by then; what stops a machine waits for half a minute and more, with the grace.
PATIENCE: Final = 10.0
# Between two looks whether the store says so, and two kills of what does not end.
_DRAIN_SECONDS: Final = 1.0
_INTERRUPT_SECONDS: Final = 0.1


class Stopping:
    """What one worker was told."""

    def __init__(self) -> None:
        # When each request came: several threads may ask at once, and none may be lost.
        self._requests: list[float] = []
        self._drain_at = monotonic() + _DRAIN_SECONDS
        self.is_draining = False
        # When what runs is ended.
        self.grace_until = FOREVER
        # How the store has failed that is not waited for any more. As a text: an error keeps what it passed
        # through alive, sockets among that.
        self._given_up = ""

    def ask(self) -> int:
        """Note a request; return how many there were."""
        self._requests.append(monotonic())
        return self.asked

    @property
    def asked(self) -> int:
        """How often it was asked, apart from the store."""
        return len(self._requests)

    @property
    def is_ending(self) -> bool:
        """Whether it claims nothing more."""
        return self.is_draining or self.asked > 0

    def may_look(self) -> bool:
        """Whether it is time to look what the store says."""
        if self.is_ending or monotonic() < self._drain_at:
            return False
        self._drain_at = monotonic() + _DRAIN_SECONDS
        return True

    def is_new(self, grace: float) -> bool:
        """Begin the grace period, if it has not begun; return whether it has now."""
        if self.grace_until != FOREVER:
            return False
        # Since it was asked: the loop may have waited for its store until now.
        self.grace_until = self._requests[0] + grace
        return True

    def gives_up(self, error: StoreUnavailable, *, idle_since: float) -> bool:
        """Whether a store that has just failed is not waited for any more.

        Args:
            error: How it has.
            idle_since: When the last of what ran has ended; infinite: something runs.
        """
        is_over = self.asked == 1 and monotonic() >= max(self._requests[0], idle_since) + PATIENCE
        if is_over or self.asked > 1:
            self._given_up = str(error)
        return self.has_given_up

    @property
    def has_given_up(self) -> bool:
        """Whether the worker ends though it holds something."""
        return bool(self._given_up)

    def check(self, worker: str) -> None:
        """Raise if the worker of this id has ended so, unless it was to end at once.

        Raises:
            StoreUnavailable: It has.
        """
        if self.has_given_up and self.asked == 1:
            seconds = monotonic() - self._requests[0]
            raise StoreUnavailable(
                f"worker {worker} was told to end {seconds:.0f} s ago, and cannot reach its store: {self._given_up}; "
                "what it held is run by others when its lease is over"
            )

    def must_interrupt(self) -> bool:
        """Whether what runs is to be ended now; asked again and again until it has."""
        if self.asked < 2 and monotonic() < self.grace_until:
            return False
        # In every turn: what waited behind a killed call may have begun since.
        self.grace_until = monotonic() + _INTERRUPT_SECONDS
        return True
