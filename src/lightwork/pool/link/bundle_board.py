"""Bundle board: the pool's view of the bundle that a child runs. See map/bundle.py for the theory."""

from math import ceil
from typing import Protocol

from lightwork.pool.map.bundle import FAILED, GROUP, Outcome, Parcel, barrier
from lightwork.pool.memory.control_block import DONE, ITEM, ITEM_SPAN, LIMIT, PEEKING, ControlBlock


class Bundle(Protocol):
    """A call that is a bundle of items; some of them are its own."""

    seq: int
    first: int
    end: int


class BundleBoard:
    """Reads what the child has noted, and forbids items."""

    def __init__(self, block: ControlBlock) -> None:
        self._block = block
        # The item that ran at the last look, and since when it has been seen.
        self._seen = 0
        self._seen_at = 0.0

    def read(self, call: Bundle) -> tuple[int, Outcome]:
        """Return how many items were begun and what those gave that are done.

        Only when the child is dead.
        """
        begun = self._block.words[ITEM] - call.seq * ITEM_SPAN
        if not 0 < begun < ITEM_SPAN:
            return 0, Outcome(Parcel(b"", b""))
        items, pieces = divmod(self._block.words[DONE], ITEM_SPAN)
        ends = self._block.ends[:pieces]
        used = ends[-1] & ~(FAILED | GROUP) if ends else 0
        results = Parcel(bytes(ends), bytes(self._block.results[:used]))
        return begun, Outcome(results, items=items or pieces)

    def begun(self, seq: int) -> int:
        """Return how many items of this call the child that runs it has begun, as far as is known."""
        item = self._block.words[ITEM] if PEEKING else 0
        return item % ITEM_SPAN if item // ITEM_SPAN == seq else 0

    def stalled_call(self, now: float, seconds: float) -> int:
        """Return the number of the bundle that has been at the same item for so long, or 0."""
        item = self._block.words[ITEM]
        if item != self._seen:
            self._seen, self._seen_at = item, now
        return item // ITEM_SPAN if PEEKING and now - self._seen_at > seconds else 0

    def running_call(self) -> int:
        """Return the number of the bundle that has begun last, or 0: nobody can know."""
        return self._block.words[ITEM] // ITEM_SPAN if PEEKING else 0

    def forbid_rest(self, call: Bundle) -> int:
        """Let no further item begin; return the first that will not, or 0: that is not certain."""
        return self._forbid(call, 1.0)

    def forbid_half(self, call: Bundle) -> int:
        """Do the same for half of those that have not begun."""
        return self._forbid(call, 0.5)

    def _forbid(self, call: Bundle, part: float) -> int:
        words = self._block.words
        item = words[ITEM]
        left = call.end - call.first - item % ITEM_SPAN
        if item // ITEM_SPAN != call.seq or left <= 0:
            return 0
        limit = item + left - ceil(left * part)
        words[LIMIT] = limit
        with barrier:
            pass
        return call.first + limit % ITEM_SPAN if words[ITEM] <= limit else 0
