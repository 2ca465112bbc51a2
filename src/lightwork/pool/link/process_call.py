"""Process call: one call on its way through a pool of processes.

Knows the number of the child that holds it, and nothing of children: whose it is
answers what only the pool can tell.
"""

from typing import Any, Protocol

from lightwork.pool.call.future import CancelMode, Future
from lightwork.pool.call.options import CallOptions
from lightwork.pool.memory.argument_arena import Extent
from lightwork.pool.wire.function import Function
from lightwork.pool.wire.ref_parent import ParentRef


class CallOwner(Protocol):
    """The pool that a call goes through."""

    def withdraw(self, call: "ProcessCall", mode: CancelMode) -> bool:
        """Take the call back, if that is still possible; see Future.cancel."""

    def has_begun(self, call: "ProcessCall") -> bool:
        """Whether the call's child has left word that it has begun."""

    def items_begun(self, call: "ProcessCall") -> int:
        """Return how many items of a bundle its child has begun, as far as is known."""


class ProcessCall:
    """One call on its way through a pool."""

    __slots__ = (
        "_owner",
        "body",
        "body_start",
        "child",
        "end",
        "extent",
        "first",
        "function",
        "future",
        "inbox_offset",
        "is_answered",
        "options",
        "refs",
        "ring_end",
        "ring_start",
        "seconds",
        "seq",
        "stumbles",
    )

    # Set when it is sent: what the plan expected ...
    seconds: float
    # ... and its stretch of the inbox's ring: a function sent along, then the body.
    ring_start: int
    body_start: int
    ring_end: int
    inbox_offset: int

    def __init__(
        self,
        seq: int,
        function: Function,
        body: bytes,
        options: CallOptions,
        owner: CallOwner,
    ) -> None:
        self.seq = seq
        self.function = function
        # Kept until the answer is there: a call that was never begun is sent again.
        self.body = body
        # Keeps large arguments in the arena; the body then says where they are.
        self.extent: Extent | None = None
        self.refs: tuple[ParentRef[Any], ...] = ()
        self.options = options
        self.future: Future[Any] = Future(self)
        self._owner = owner
        # The number of the child that was given it; 0 while it waits and when it is over.
        self.child = 0
        # Its end is decided: nothing else may decide it.
        self.is_answered = False
        # Of a bundle, the items from here to there are this call's; else both are 0.
        self.first = 0
        self.end = options.items
        # How many children died with it before they began the first item.
        self.stumbles = 0

    @property
    def name(self) -> str:
        """What it runs, for people."""
        return self.function.name

    def withdraw(self, mode: CancelMode) -> bool:
        """Take the call back, if that is still possible; see Future.cancel."""
        return self._owner.withdraw(self, mode)

    def is_running(self) -> bool:
        """Whether a child was given the call."""
        return self.child != 0

    def has_begun(self) -> bool:
        """Whether its child has left word that it has begun."""
        return self._owner.has_begun(self)

    def items_begun(self) -> int:
        """Return how many of its own items have begun, if it is a bundle."""
        return self._owner.items_begun(self)

    def part(self, at: int, seq: int) -> "ProcessCall":
        """Return a new call for the items of this bundle from `at` on, which this one gives up."""
        rest = ProcessCall(seq, self.function, self.body, self.options, self._owner)
        rest.extent, rest.refs = self.extent, self.refs
        rest.first, rest.end = at, self.end
        self.end = at
        return rest


def items_begun(future: Future[Any]) -> int:
    """Return how many items of the bundle behind a future have begun, and are not done with it."""
    call = future._call
    return call.items_begun() if isinstance(call, ProcessCall) else 0
