"""Lock: every order of asking, withdrawing and dying to a depth; and mistakes that the walk must find."""

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

from lightwork.machines.lock import HELD_BY_ANOTHER, NOT_HELD, LockMachine
from lightwork.machines.shapes import Answer, Ask, Caller, Lost, Machine, Plain


class Held(NamedTuple):
    holder: Caller | None = None
    times: int = 0
    token: int = 0
    was_lost: bool = False


@dataclass
class LockBook:
    is_reentrant: bool = False
    machine: Machine[Any] = field(default_factory=LockMachine)

    @property
    def spec(self) -> tuple[Plain, ...]:
        return (self.is_reentrant,)

    def start(self) -> Held:
        return Held()

    def asks(self, ledger: Held, caller: Caller) -> Iterator[tuple[Plain, ...]]:
        is_its = ledger.holder is not None and ledger.holder.session == caller.session
        # A Lock that its own holder waits for is a program's mistake.
        if self.is_reentrant or ledger.holder != caller:
            yield ("acquire",)
            yield ("try",)
        yield ("release",)
        yield ("release_grant", ledger.token)
        yield ("release_grant", ledger.token - 1)
        yield ("count",)
        if not is_its:
            yield ("break",)

    def told(self, ledger: Held, told: Told) -> Held:
        holder = ledger.holder
        if isinstance(told.event, Lost) and holder and holder.session == told.event.session:
            ledger = ledger._replace(holder=None, was_lost=True)
        for answer in told.answers:
            ledger = self._answered(ledger, told, answer)
        return ledger

    def _answered(self, ledger: Held, told: Told, answer: Answer) -> Held:
        ask = told.question(answer)
        match ask.verb:
            case "acquire" | "try" if answer.value is None:
                expect(ask.verb == "try" and ledger.holder, "refused, and it is free")
            case "acquire" | "try":
                return self._granted(ledger, told, ask, answer.value)
            case "release":
                return self._released(ledger, answer)
            case "release_grant":
                is_whole = self._count(ledger, answer.caller) == 1
                expect(
                    answer.value == (is_whole and ask.args == (ledger.token,)), "of another grant"
                )
                if answer.value:
                    return ledger._replace(holder=None, times=0, was_lost=False)
            case "count":
                expect(answer.value == self._count(ledger, answer.caller), "it counts wrongly")
            case "break":
                expect(answer.value == (ledger.holder is not None), "it does not know who holds it")
                return ledger._replace(holder=None, was_lost=True) if answer.value else ledger
        return ledger

    def _count(self, ledger: Held, caller: Caller) -> int:
        if ledger.holder is None:
            return 0
        is_its = (
            ledger.holder == caller
            if self.is_reentrant
            else ledger.holder.session == caller.session
        )
        return ledger.times if is_its else 0

    def _granted(self, ledger: Held, told: Told, ask: Ask, grant: Plain) -> Held:
        assert isinstance(grant, tuple)
        token, is_inherited = grant
        assert isinstance(token, int)
        if self.is_reentrant and ledger.holder == ask.caller:
            expect(grant == (ledger.token, False), "another grant to its holder")
            return ledger._replace(times=ledger.times + 1)
        expect(ledger.holder is None, "two holders")
        expect(token > ledger.token, "the token has not grown")
        expect(is_inherited == ledger.was_lost, "it tells wrongly how the last holder went")
        alive = [one for one in told.waiting if one.verb == "acquire" and not _is_lost(told, one)]
        expect(ask.verb == "try" or alive[0] == ask, "somebody waits longer")
        return Held(ask.caller, 1, token, False)

    def _released(self, ledger: Held, answer: Answer) -> Held:
        count = self._count(ledger, answer.caller)
        refused = "" if count else HELD_BY_ANOTHER if ledger.holder else NOT_HELD
        expect(answer.refused == refused, f"a release was answered {answer.refused!r}")
        if not count:
            return ledger
        if count > 1:
            return ledger._replace(times=count - 1)
        return ledger._replace(holder=None, times=0, was_lost=False)

    def look(self, world: World[Held]) -> None:
        expect(world.ledger.holder or not world.waiting, "somebody waits, and it is free")


def _is_lost(told: Told, ask: Ask) -> bool:
    return isinstance(told.event, Lost) and told.event.session == ask.caller.session


@pytest.mark.parametrize("is_reentrant", [False, True])
def test_it_has_one_holder_and_passes_on_whatever_happens(is_reentrant: bool) -> None:
    explored = walk(LockBook(is_reentrant), depth=20)

    assert explored.wrong is None, explored.wrong.told()
    assert explored.states > 200


def _newest_first(before: Any, event: Any, after: Any, answers: Any) -> Any:
    if isinstance(event, Ask) and event.verb == "acquire" and not answers:
        after = replace(after, waiting=(event.caller, *before.waiting))
    return after, answers


def _same_token(before: Any, event: Any, after: Any, answers: Any) -> Any:
    def told(answer: Answer) -> Answer:
        is_grant = isinstance(answer.value, tuple)
        return replace(answer, value=(1, answer.value[1])) if is_grant else answer  # type: ignore[index]

    return after, tuple(map(told, answers))


def _says_nothing_of_the_dead(before: Any, event: Any, after: Any, answers: Any) -> Any:
    return replace(after, is_inherited=False), answers


def _grants_to_two(before: Any, event: Any, after: Any, answers: Any) -> Any:
    if isinstance(event, Ask) and event.verb == "acquire" and not answers:
        return before, (Answer(event.caller, (before.token + 1, False)),)
    return after, answers


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (drop_answers_to_others, "somebody waits, and it is free"),
        (ignore_losses, "a lost session has left something behind"),
        (ignore_withdrawals, "nobody asked for this answer|somebody was answered twice"),
        (_newest_first, "somebody waits longer"),
        (_same_token, "the token has not grown"),
        (_says_nothing_of_the_dead, "it tells wrongly how the last holder went"),
        (_grants_to_two, "two holders"),
    ],
)
def test_the_walk_finds_a_mistake(spoil: Spoil, what: str) -> None:
    assert re.fullmatch(what, first_mistake(LockBook(), spoil, depth=6))
