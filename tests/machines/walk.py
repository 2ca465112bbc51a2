"""Walk: a machine, asked by a few callers in every order, and a book that knows what may be answered.

What each caller asks, the withdrawals of whoever waits and the losses of sessions are steps of explore.py. A
book is what the callers know: what they were answered, and so what is promised to them. It knows nothing of
the machine's inside, other than what a caller could ask for.

Here is what holds for every machine: an answer goes to somebody who asked, once; who has gone away gets none;
and of a session that is lost nothing is left in the state.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from explore import Explored, Step, explore
from lightwork.machines.shapes import (
    Answer,
    Ask,
    Caller,
    Cells,
    Event,
    Lost,
    Machine,
    Plain,
    Withdraw,
)

A0, A1, B0 = Caller(b"session A", 0), Caller(b"session A", 1), Caller(b"session B", 0)
CALLERS = (A0, A1, B0)

S = TypeVar("S")
L = TypeVar("L", bound=Hashable)


class Mistake(Exception):  # noqa: N818 - what is found, not what fails
    """A machine did what it must not."""


def expect(is_so: object, otherwise: str) -> None:
    if not is_so:
        raise Mistake(otherwise)


class World(NamedTuple, Generic[L]):
    """The machine's side, and the callers'.

    `waiting` has the questions that are not answered, in the order of asking.
    """

    state: Any
    cells: tuple[tuple[bytes, bytes], ...]
    ledger: L
    waiting: tuple[Ask, ...] = ()
    lost: frozenset[bytes] = frozenset()
    mistake: str = ""


class Told(NamedTuple):
    """One step, as a book sees it: `waiting` with the question that is asked, before any answer."""

    event: Event
    answers: tuple[Answer, ...]
    waiting: tuple[Ask, ...]

    def question(self, answer: Answer) -> Ask:
        return next(ask for ask in self.waiting if ask.caller == answer.caller)


class Book(Protocol[L]):
    """What the callers know of one kind of machine."""

    machine: Machine[Any]

    @property
    def spec(self) -> tuple[Plain, ...]:
        """Return what the machine is made with."""

    def start(self) -> L:
        """Return what is known at first."""

    def asks(self, ledger: L, caller: Caller) -> Iterable[tuple[Plain, ...]]:
        """Return what this caller may ask now, each as (verb, *args)."""

    def told(self, ledger: L, told: Told) -> L:
        """Return what is known after a step; raise Mistake if it may not be."""

    def look(self, world: World[L]) -> None:
        """Raise Mistake if things may not stand like this."""


@dataclass
class Walk(Generic[L]):
    """The model that is explored."""

    book: Book[L]
    callers: tuple[Caller, ...] = CALLERS

    def starts(self) -> Iterator[World[L]]:
        yield World(self.book.machine.begin(self.book.spec), (), self.book.start())

    def problem(self, world: World[L]) -> str:
        return world.mistake

    def is_over(self, _world: World[L]) -> bool:
        # Who waits may have to wait for what nobody asks here; books know when nobody has to.
        return True

    def steps(self, world: World[L]) -> Iterator[Step[World[L]]]:
        for event in self._events(world):
            yield Step(str(event), self._after(world, event))

    def _events(self, world: World[L]) -> Iterator[Event]:
        waiting = {ask.caller for ask in world.waiting}
        for caller in self.callers:
            if caller in waiting:
                yield Withdraw(caller)
            elif caller.session not in world.lost:
                for verb, *args in self.book.asks(world.ledger, caller):
                    yield Ask(caller, str(verb), tuple(args))
        for session in sorted({caller.session for caller in self.callers} - world.lost):
            yield Lost(session)

    def _after(self, world: World[L], event: Event) -> World[L]:
        cells = dict(world.cells)
        state, answers = self.book.machine.step(world.state, cells, event)
        waiting = (*world.waiting, event) if isinstance(event, Ask) else world.waiting
        lost = world.lost | {event.session} if isinstance(event, Lost) else world.lost
        after = world._replace(state=state, cells=tuple(sorted(cells.items())), lost=lost)
        try:
            told = Told(event, answers, waiting)
            _check_answers(told)
            after = after._replace(
                ledger=self.book.told(world.ledger, told), waiting=tuple(_still_waiting(told))
            )
            for session in lost:
                expect(session not in _leaves(state), "a lost session has left something behind")
            self.book.look(after)
        except Mistake as mistake:
            return after._replace(mistake=str(mistake))
        return after


def _check_answers(told: Told) -> None:
    answered = [answer.caller for answer in told.answers]
    expect(len(set(answered)) == len(answered), "somebody was answered twice")
    expect(set(answered) <= {ask.caller for ask in told.waiting}, "nobody asked for this answer")
    if isinstance(told.event, Lost):
        gone = [one for one in answered if one.session == told.event.session]
        expect(not gone, "who is gone was answered")


def _still_waiting(told: Told) -> Iterator[Ask]:
    answered = {answer.caller for answer in told.answers}
    for ask in told.waiting:
        match told.event:
            case Withdraw(caller) if caller == ask.caller:
                continue
            case Lost(session) if session == ask.caller.session:
                continue
        if ask.caller not in answered:
            yield ask


def _leaves(value: object) -> Iterator[object]:
    if is_dataclass(value):
        for field in fields(value):
            yield from _leaves(getattr(value, field.name))
    elif isinstance(value, tuple):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def walk(book: Book[L], depth: int, callers: tuple[Caller, ...] = CALLERS) -> Explored[World[L]]:
    """Walk to this depth."""
    return explore(Walk(book, callers), depth=depth)


Spoil = Callable[[Any, Event, Any, tuple[Answer, ...]], tuple[Any, tuple[Answer, ...]]]


@dataclass
class Spoilt:
    """A machine with a mistake: what `spoil` makes of the state before, the event, the state after and the answers."""

    machine: Machine[Any]
    spoil: Spoil
    kind: str = "spoilt"

    def begin(self, spec: tuple[Plain, ...]) -> Any:
        return self.machine.begin(spec)

    def step(self, state: Any, cells: Cells, event: Event) -> tuple[Any, tuple[Answer, ...]]:
        after, answers = self.machine.step(state, cells, event)
        return self.spoil(state, event, after, answers)


def first_mistake(book: Book[Any], spoil: Spoil, depth: int) -> str:
    """Return what the walk says of the machine with this mistake; "" if it finds none."""
    book.machine = Spoilt(book.machine, spoil)
    wrong = walk(book, depth).wrong
    return wrong.what if wrong else ""


def drop_answers_to_others(
    _before: Any, event: Event, after: Any, answers: tuple[Answer, ...]
) -> tuple[Any, tuple[Answer, ...]]:
    """Whoever waits is served in the state, and never hears of it."""
    asker = event.caller if isinstance(event, Ask) else None
    return after, tuple(answer for answer in answers if answer.caller == asker)


def ignore_losses(
    before: Any, event: Event, after: Any, answers: tuple[Answer, ...]
) -> tuple[Any, tuple[Answer, ...]]:
    return (before, ()) if isinstance(event, Lost) else (after, answers)


def ignore_withdrawals(
    before: Any, event: Event, after: Any, answers: tuple[Answer, ...]
) -> tuple[Any, tuple[Answer, ...]]:
    return (before, ()) if isinstance(event, Withdraw) else (after, answers)
