"""Explore: walk every state that a small model can reach, and tell what is wrong with it.

A model is pure: it says where it may start and, for each state, which steps may come
next. Everything that could happen at this moment is a step of its own: one system call
of one side, one store into shared memory, a death. So the walk sees every interleaving,
which a test that runs the real thing only samples.

    ways in ──▶ state ──step──▶ state ──step──▶ ... ──▶ over
                  │
                  └──outside step (a death, a stop, one more call)──▶ state

What is looked for:

- a state with a problem (`problem`): something is lost, done twice, blamed wrongly;
- a state with no way to an end (`is_over`) by the model's *own* steps. That is a
  deadlock, or a livelock: it sleeps or turns in a circle for ever. Outside steps do
  not count as a way out: a hang that only a crash or another call ends is a hang.

The walk is breadth first, so the way that is told is a shortest one. Within `depth` or
`most` states it is exhaustive; what lies beyond is taken for fine, and `is_whole` says
whether there was anything.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

S = TypeVar("S", bound=Hashable)


class Step(NamedTuple, Generic[S]):
    """One thing that may happen next.

    Attributes:
        name: What happens, as the told way should say it.
        to: The state after it.
        is_outside: Nobody may count on it: a death, a request from outside.
    """

    name: str
    to: S
    is_outside: bool = False


class Model(Protocol[S]):
    """What can be explored."""

    def starts(self) -> Iterable[S]:
        """Return the states in which it may begin."""

    def steps(self, state: S) -> Iterable[Step[S]]:
        """Return all that may happen next."""

    def problem(self, state: S) -> str:
        """Say what is wrong with this state; "" when nothing is."""

    def is_over(self, state: S) -> bool:
        """Whether everything that was promised has been kept."""


class Wrong(NamedTuple, Generic[S]):
    """A state that must not be, and a shortest way to it."""

    what: str
    way: tuple[str, ...]
    state: S

    def told(self) -> str:
        """Return it as text, a step a line."""
        steps = "\n".join(f"  {number:2}. {name}" for number, name in enumerate(self.way, 1))
        return f"{self.what}\n{steps}\n  {self.state}"


@dataclass(frozen=True, slots=True)
class Explored(Generic[S]):
    """What a walk has seen.

    Attributes:
        states: How many different states.
        depth: Steps of the longest way that was walked.
        is_whole: Nothing lay beyond the limits.
        wrong: The first thing that is wrong, nearest to the start; None if all is well.
    """

    states: int
    depth: int
    is_whole: bool
    wrong: Wrong[S] | None


class _Walk(Generic[S]):
    def __init__(self, model: Model[S]) -> None:
        self.model = model
        self.states: list[S] = []
        self._index: dict[S, int] = {}
        # From where and by which step each state was first reached, and how deep it lies.
        self._came_from: list[tuple[int, str]] = []
        self.depths: list[int] = []
        # From which states an own step leads to this one.
        self._before: list[list[int]] = []
        # States that are over, or beyond which nobody has looked.
        self._fine: list[int] = []
        self.is_whole = True
        for state in model.starts():
            self._reach(state, -1, "")

    def run(self, depth: int | None, most: int) -> Wrong[S] | None:
        """Walk; return the first state with a problem."""
        # The list grows while it is walked through.
        for number, state in enumerate(self.states):
            if problem := self.model.problem(state):
                return self.wrong(problem, number)
            if self.model.is_over(state):
                self._fine.append(number)
            if len(self.states) >= most or self.depths[number] == depth:
                self.is_whole = False
                self._fine.append(number)
                continue
            for step in self.model.steps(state):
                to = self._reach(step.to, number, step.name)
                if not step.is_outside:
                    self._before[to].append(number)
        return None

    def _reach(self, state: S, before: int, name: str) -> int:
        number = self._index.get(state, -1)
        if number < 0:
            number = self._index[state] = len(self.states)
            self.states.append(state)
            self._came_from.append((before, name))
            self.depths.append(self.depths[before] + 1 if before >= 0 else 0)
            self._before.append([])
        return number

    def hopeless(self) -> Wrong[S] | None:
        """Return the nearest state from which no own steps lead to an end."""
        has_way = bytearray(len(self.states))
        reached = self._fine
        while reached:
            number = reached.pop()
            if not has_way[number]:
                has_way[number] = 1
                reached += self._before[number]
        number = has_way.find(0)
        return self.wrong("no way leads to an end from here", number) if number >= 0 else None

    def wrong(self, what: str, number: int) -> Wrong[S]:
        return Wrong(what, tuple(reversed(list(self._way_to(number)))), self.states[number])

    def _way_to(self, number: int) -> Iterator[str]:
        while number >= 0:
            number, name = self._came_from[number]
            if name:
                yield name


def explore(model: Model[S], *, depth: int | None = None, most: int = 1_000_000) -> Explored[S]:
    """Walk through all that the model can do.

    Args:
        model: What to explore.
        depth: Most steps from a start; None: all there are.
        most: Look no further when so many states were seen.
    """
    walk = _Walk(model)
    wrong = walk.run(depth, most) or walk.hopeless()
    return Explored(len(walk.states), max(walk.depths, default=0), walk.is_whole, wrong)
