"""Condition: every order of asking, withdrawing and dying to a depth; and mistakes that the walk must find."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import pytest
from walk import (
    Spoil,
    Told,
    World,
    drop_answers_to_others,
    expect,
    first_mistake,
    ignore_losses,
    ignore_withdrawals,
    walk,
)

from lightwork.machines.condition import NOT_ENLISTED, ConditionMachine, Phase
from lightwork.machines.shapes import Answer, Ask, Caller, Lost, Machine, Plain, Withdraw


class Ticket(NamedTuple):
    number: int
    caller: Caller


class Line(NamedTuple):
    """Who is to be woken, in turn, and who was and has not taken it."""

    last: int = 0
    line: tuple[Ticket, ...] = ()
    woken: tuple[Ticket, ...] = ()

    def wake(self, count: int) -> "Line":
        woken = (*self.woken, *self.line[:count])
        return self._replace(line=self.line[count:], woken=woken)

    def strike(self, ticket: Ticket) -> "Line":
        """Take one off who has gone; what it was woken for goes to the next."""
        if ticket in self.woken:
            woken = tuple(one for one in self.woken if one != ticket)
            return self._replace(woken=woken).wake(1)
        return self._replace(line=tuple(one for one in self.line if one != ticket))


@dataclass
class ConditionBook:
    machine: Machine[Any] = field(default_factory=ConditionMachine)
    spec: tuple[Plain, ...] = ()

    def start(self) -> Line:
        return Line()

    def asks(self, ledger: Line, caller: Caller) -> Iterator[tuple[Plain, ...]]:
        tickets = [one.number for one in (*ledger.line, *ledger.woken) if one.caller == caller]
        if not tickets:
            yield ("enlist",)
            yield ("wait", 0)
        for ticket in tickets:
            yield ("wait", ticket)
            yield ("leave", ticket)
        yield ("notify", 1)
        yield ("notify", 2)
        yield ("notify_all",)

    def told(self, ledger: Line, told: Told) -> Line:
        match told.event:
            case Lost(session):
                for one in (*ledger.line, *ledger.woken):
                    if one.caller.session == session:
                        ledger = ledger.strike(one)
            case Withdraw(caller):
                (ticket,) = (one for one in ledger.line if one.caller == caller)
                ledger = ledger.strike(ticket)
        for answer in told.answers:
            ledger = self._answered(ledger, told, answer)
        return ledger

    def _answered(self, ledger: Line, told: Told, answer: Answer) -> Line:
        match told.question(answer):
            case Ask(caller, "enlist"):
                assert isinstance(answer.value, int)
                expect(answer.value > ledger.last, "a ticket was given twice")
                line = (*ledger.line, Ticket(answer.value, caller))
                return ledger._replace(last=answer.value, line=line)
            case Ask(_, "wait", (0,)):
                expect(answer.refused == NOT_ENLISTED, "who is not enlisted waits")
            case Ask(caller, "wait", (int(number),)):
                ticket = Ticket(number, caller)
                expect(ticket in ledger.woken, "woken, and nobody has notified it")
                return ledger._replace(woken=tuple(one for one in ledger.woken if one != ticket))
            case Ask(caller, "leave", (int(number),)):
                return ledger.strike(Ticket(number, caller))
            case Ask(_, "notify" | "notify_all", args):
                count = min(int(str(args[0])), len(ledger.line)) if args else len(ledger.line)
                expect(answer.value == count, "it tells wrongly how many were woken")
                return ledger.wake(count)
        return ledger

    def look(self, world: World[Line]) -> None:
        woken = {one.caller for one in world.ledger.woken}
        lost = [ask for ask in world.waiting if ask.caller in woken]
        expect(not lost, "a wake-up was lost")


@pytest.mark.parametrize("depth", [6])
def test_no_wake_up_is_lost_or_invented_whatever_happens(depth: int) -> None:
    explored = walk(ConditionBook(), depth=depth)

    assert explored.wrong is None, explored.wrong.told()
    assert explored.states > 500


def _forgets_the_enlisted(before: Any, event: Any, after: Any, answers: Any) -> Any:
    """As a condition that knows only who is parked: the wake-up between release and wait is lost."""
    if isinstance(event, Ask) and event.verb.startswith("notify"):
        line = tuple(replace(one, phase=Phase.ENLISTED) for one in after.line)
        return replace(after, line=line), answers
    return after, answers


def _wakes_the_last(before: Any, event: Any, after: Any, answers: Any) -> Any:
    if isinstance(event, Ask) and event.verb == "notify" and event.args == (1,):
        parked = [one for one in before.line if one.phase == Phase.PARKED]
        if len(parked) == len(before.line) == 2:
            woken = parked[-1]
            after = replace(before, line=before.line[:-1])
            return after, (Answer(event.caller, 1), Answer(woken.caller))
    return after, answers


def _keeps_a_wake_up(before: Any, event: Any, after: Any, answers: Any) -> Any:
    """Who was notified and leaves takes the wake-up with it."""
    if isinstance(event, Ask) and event.verb == "leave":
        line = tuple(one for one in before.line if one.ticket != event.args[0])
        return replace(before, line=line), (Answer(event.caller),)
    return after, answers


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (drop_answers_to_others, "a wake-up was lost"),
        (ignore_losses, "a lost session has left something behind"),
        (ignore_withdrawals, "nobody asked for this answer|somebody was answered twice"),
        (_forgets_the_enlisted, "a wake-up was lost"),
        (_wakes_the_last, "woken, and nobody has notified it"),
        (_keeps_a_wake_up, "a wake-up was lost|it tells wrongly how many were woken"),
    ],
)
def test_the_walk_finds_a_mistake(spoil: Spoil, what: str) -> None:
    assert re.fullmatch(what, first_mistake(ConditionBook(), spoil, depth=6))
