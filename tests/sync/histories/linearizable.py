"""Linearizable: whether operations that overlapped can be put in one order that a sequential model allows.

The search of Wing and Gong, with the memory of Lowe: what was tried from one set of operations done and one
state is not tried again. (Testing for linearizability, Lowe 2017; Porcupine does the same.) Each operation is
done in one instant between its beginning and its end. One without an end (its caller was killed, or the answer
was lost) is done some time after its beginning, or never.

Each step takes an operation that began before all others that are left have ended. Of these:

- One that never changes anything, by its answer, and may be done now is done now: any order that has it later
  has it here as well.
- Those without an end are tried last: most of them were never done.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

# Of an operation without an end.
UNKNOWN: Final = "unknown"
# A search that takes longer says nothing: the history was too long, or too much of it overlaps.
_MOST_STEPS: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Operation:
    """What one caller asked, and what it was told.

    Attributes:
        id: Unique in its history.
        key: Of what it was asked; keys are checked one by one.
        verb: What for.
        args: With what.
        answer: A plain value; UNKNOWN if it has no end.
        begin: Nanoseconds of one clock for all.
        end: Likewise; infinite if nobody has heard an answer.
        is_read: By its answer, it changes nothing whenever it was done.
    """

    id: str
    key: str
    verb: str
    args: tuple[Any, ...]
    answer: Any
    begin: float
    end: float = math.inf
    is_read: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it may never have been done."""
        return self.end == math.inf


# Takes a state and an operation; returns the state after it, None if it may not be done, or not with this answer.
Step = Callable[[Any, Operation], Hashable]


class UndecidedError(Exception):
    """The search took too long."""


def why_not(operations: Iterable[Operation], step: Step, state: Hashable) -> str:
    """Return "" if they are linearizable; else the longest order there is, and what may not follow.

    Args:
        operations: Of one key.
        step: The model.
        state: Where it begins.
    """
    history = sorted(operations, key=lambda one: one.begin)
    closed = [one for one in history if not one.is_open]
    opened = [one for one in history if one.is_open]
    search = _Search((*closed, *opened), len(closed), step)
    return "" if search.has_order(state) else search.told()


class _Search:
    def __init__(self, operations: Sequence[Operation], closed: int, step: Step) -> None:
        self._all = operations
        self._closed = closed
        self._step = step
        self._longest: list[int] = []

    def has_order(self, state: Hashable) -> bool:
        everything = (1 << self._closed) - 1
        seen = {(0, state)}
        order: list[int] = []
        branches = [self._next(0, state)]
        steps = 0
        while branches:
            found = next(branches[-1], None)
            if found is None:
                branches.pop()
                if order:
                    order.pop()
                continue
            number, done, after = found
            if (done, after) in seen:
                continue
            steps += 1
            if steps > _MOST_STEPS:
                raise UndecidedError(
                    f"{steps} steps, {len(self._longest)} of {len(self._all)} in order"
                )
            seen.add((done, after))
            order.append(number)
            if len(order) > len(self._longest):
                self._longest = order.copy()
            if done & everything == everything:
                return True
            branches.append(self._next(done, after))
        return not self._closed

    def _next(self, done: int, state: Hashable) -> Iterator[tuple[int, int, Hashable]]:
        """Yield what may be done next, with what is done and the state after it."""
        possible = []
        for number in self._candidates(done):
            after = self._step(state, self._all[number])
            if after is None:
                continue
            found = (number, done | 1 << number, after)
            # What changes nothing here may be what changes something later: a clear of what is empty.
            if number < self._closed and after == state and self._all[number].is_read:
                yield found
                return
            if after != state or number < self._closed:
                possible.append(found)
        yield from possible

    def _candidates(self, done: int) -> list[int]:
        """Return those that began before any other that is left has ended, soonest end first."""
        bound = math.inf
        early = []
        # Those done stand, but for a few, before those that are not: the lowest bit that is not set.
        for number in range((~done & (done + 1)).bit_length() - 1, self._closed):
            if done >> number & 1:
                continue
            one = self._all[number]
            if one.begin > bound:
                break
            bound = min(bound, one.end)
            early.append(number)
        early.sort(key=lambda number: self._all[number].end)
        late = range(self._closed, len(self._all))
        return early + [n for n in late if not done >> n & 1 and self._all[n].begin <= bound]

    def told(self) -> str:
        done = 0
        for number in self._longest:
            done |= 1 << number
        left = [self._all[number] for number in self._candidates(done)]
        last = [self._all[number] for number in self._longest[-12:]]
        lines = [f"{len(self._longest)} of {self._closed} in order; the last of them:"]
        lines += [f"  {_shown(one)}" for one in last]
        return "\n".join(
            [*lines, "and none of these may follow:", *(f"  {_shown(one)}" for one in left)]
        )


def _shown(one: Operation) -> str:
    return (
        f"{one.begin:.0f}..{one.end:.0f} {one.id} {one.key}.{one.verb}{one.args} -> {one.answer!r}"
    )
