"""Host: where primitives live, and the one way in which their classes talk to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

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
                nobody is never lost. "": there is nothing to give back.

        When the time is up, the question is withdrawn; an answer that comes before or by that is returned.

        Raises:
            TimeoutError: It was not answered in time, and now never will be.
            Refusal: The machine says no; `reason` is its word.
            LockLost: This session has ended: whatever it held may be another's now.
            StoreUnavailable: The host is out of reach.
            UsageError: It was made with another `spec`.
        """

    def close(self) -> None:
        """Let go of what this process holds there; idempotent."""


class LockWay(Protocol):
    """How a Lock or RLock is taken and let go."""

    def acquire(self, timeout: float | None) -> tuple[int, bool]:
        """Take it; return its token, and whether the last holder was lost with it.

        A Ctrl-C leaves it as it was. `timeout` and errors are those of `Host.ask`.
        """

    def release(self) -> None:
        """Let go of it once; `Refusal` with the words of machines/lock.py."""

    def release_grant(self, token: int) -> None:
        """Let go of it if this grant has it still, taken once: its release was interrupted, and may not have begun."""

    def force_release(self) -> bool:
        """Take it from whoever holds it; return whether it was held."""

    def is_locked(self) -> bool:
        """Whether anybody holds it."""

    def count(self) -> int:
        """How often this thread holds it; of what is not reentrant, this process."""


class Memory(Protocol):
    """The bytes of a Value or an Array: as many as there were at first."""

    def read(self, start: int, stop: int) -> bytes:
        """Return those from `start` to before `stop`, as they are at one moment."""

    def write(self, start: int, data: bytes) -> None:
        """Put `data` in the place of what is from `start` on."""

    def swap(self, start: int, expected: bytes, data: bytes) -> bool:
        """Write `data`, of the same length, if `expected` is there; return whether it was."""

    def view(self, kind: type[Any]) -> Any:
        """Return an object of this class of ctypes that lies in the memory; UsageError where there is none.

        Any: what a class of ctypes makes is known to who names it.
        """


# What a get has brought, as the way that brought it knows it: (number, content) each, or what was taken from a ring.
Got = tuple[
    tuple[tuple[int, bytes], ...], tuple[int, list[bytes], tuple[int, int], tuple[int, int]]
]


class QueueWay(Protocol):
    """How a queue is used; `Refusal` with the words of machines/queue.py, all other errors as `Host.ask`."""

    def put(self, items: tuple[bytes, ...], *, block: bool, timeout: float | None) -> int:
        """Put as many as find room in time; return how many."""

    def get(self, most: int, *, ack: bool, block: bool, timeout: float | None) -> Got:
        """Get at least one item, at most so many. A Ctrl-C leaves them in the queue."""

    def give_back(self, got: Got, *, ack: bool) -> None:
        """Undo a get."""

    def let_go(self, verb: str, numbers: tuple[int, ...]) -> None:
        """Ack or nack what was got without."""

    def done(self) -> None:
        """Count one item as done."""

    def join(self, timeout: float | None) -> None:
        """Wait until all is done."""

    def shutdown(self, *, immediate: bool) -> None:
        """Let nothing more be put."""

    def state(self) -> tuple[int, int, int, bool, int]:
        """Return maxsize, size, unfinished, whether it is shut down, and how many are given."""


@runtime_checkable
class HasShortcuts(Protocol):
    """A host beside which there is a shorter way than asking: the broker has memory and locks of the kernel."""

    def open_lock(self, place: Place) -> LockWay:
        """Return how this lock is taken; `place.kind` is "lock"."""

    def open_memory(self, place: Place) -> Memory:
        """Return these bytes; `place.kind` is "value", `place.spec` (what they are at first,)."""

    def open_queue(self, place: Place) -> QueueWay:
        """Return how this queue is used; `place.kind` is "queue"."""


@runtime_checkable
class Keeper(Protocol):
    """A host that forgets what nobody uses any more, unless it has a name."""

    def keep(self, place: Place, *, is_named: bool) -> object:
        """Return what the primitive lives with: as long as that, or for ever if it is named."""


class Refusal(Exception):  # noqa: N818 - an answer, turned into an error by whoever asked
    """A machine's no, for the class that asked to say in its own words."""

    def __init__(self, reason: str) -> None:
        """Keep the machine's word."""
        super().__init__(reason)
        self.reason = reason
