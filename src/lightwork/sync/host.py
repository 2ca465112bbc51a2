"""Host: where primitives live, and the one way in which their classes talk to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lightwork.machines.shapes import Plain


@dataclass(frozen=True, slots=True)
class Place:
    """Which primitive of a host.

    Attributes:
        kind: Of its machine: "lock", "queue", ...
        name: Unique among those of its kind; of an unnamed one, random.
        spec: What it is made with by whoever names it first; for others that differ: UsageError.
    """

    kind: str
    name: str
    spec: tuple[Plain, ...] = ()


class Host(Protocol):
    """Keeps primitives. All methods may be called from any thread."""

    @property
    def where(self) -> str:
        """What opens it again: "threads", "processes", or the URL of a store or server."""

    @property
    def session(self) -> bytes:
        """Of this process at this host: what it holds is let go when this process dies."""

    def ask(
        self,
        place: Place,
        verb: str,
        args: tuple[Plain, ...] = (),
        *,
        timeout: float | None = None,
        undo: Callable[[Plain], tuple[str, tuple[Plain, ...]]] | None = None,
    ) -> Plain:
        """Ask, and wait for the answer.

        Args:
            place: Whom.
            verb: What for; see the machine.
            args: With what.
            timeout: Seconds to wait for the answer, 0.0: none; None: without end.
            undo: Of what waits: the verb and arguments that give back what was answered, for when
                the waiting thread is interrupted (Ctrl-C) as the answer comes. What was granted to
                nobody is never lost.

        Raises:
            TimeoutError: It was not answered in time, and now never will be.
            Refusal: The machine says no; `reason` is its word.
            LockLost: This session has ended: whatever it held may be another's now.
            StoreUnavailable: The host is out of reach.
            UsageError: It was made with another `spec`.
        """

    def close(self) -> None:
        """Let go of what this process holds there; idempotent."""


class Refusal(Exception):  # noqa: N818 - an answer, turned into an error by whoever asked
    """A machine's no, for the class that asked to say in its own words."""

    def __init__(self, reason: str) -> None:
        """Keep the machine's word."""
        super().__init__(reason)
        self.reason = reason
