"""Semaphore: every order of asking, withdrawing and dying to a depth; and mistakes that the walk must find."""

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

from lightwork.machines.semaphore import RELEASED_TOO_OFTEN, SemaphoreMachine
from lightwork.machines.shapes import Answer, Ask, Caller, Lost, Machine, Plain


class Counted(NamedTuple):
    """How many are free, and the grants that nobody has given back, by session, the oldest first."""

    free: int
    grants: tuple[bytes, ...] = ()
    token: int = 0


@dataclass
class SemaphoreBook:
    value: int = 1
    is_bounded: bool = False
    machine: Machine[Any] = field(default_factory=SemaphoreMachine)

    @property
    def spec(self) -> tuple[Plain, ...]:
        return self.value, self.is_bounded

    def start(self) -> Counted:
        return Counted(self.value)

    def asks(self, ledger: Counted, caller: Caller) -> Iterator[tuple[Plain, ...]]:
        yield ("acquire",)
        yield ("try",)
        yield ("value",)
        if ledger.free < 3:
            yield ("release", 1)
            yield ("release", 2)

    def told(self, ledger: Counted, told: Told) -> Counted:
        if isinstance(told.event, Lost):
            left = tuple(one for one in ledger.grants if one != told.event.session)
            free = ledger.free + len(ledger.grants) - len(left)
            ledger = ledger._replace(free=free, grants=left)
        for answer in told.answers:
            ledger = self._answered(ledger, told, answer)
        return ledger

    def _answered(self, ledger: Counted, told: Told, answer: Answer) -> Counted:
        match told.question(answer):
            case Ask(_, "try") if answer.value is None:
                expect(not ledger.free, "refused, and some are free")
            case Ask(caller, "acquire" | "try" as verb):
                expect(ledger.free, "more were granted than there are")
                assert isinstance(answer.value, int)
                expect(answer.value > ledger.token, "the token has not grown")
                first = next(one for one in told.waiting if one.verb in {"acquire", "try"})
                expect(
                    verb == "try" or first.caller == caller or _served(told, first), "not in turn"
                )
                grants = (*ledger.grants, caller.session)
                return Counted(ledger.free - 1, grants, answer.value)
            case Ask(caller, "release", (int(count),)):
                is_too_many = self.is_bounded and ledger.free + count > self.value
                expect(answer.refused == RELEASED_TOO_OFTEN * is_too_many, "a release is misjudged")
                return ledger if is_too_many else _released(ledger, caller.session, count)
            case Ask(_, "value"):
                expect(answer.value == ledger.free, "it counts wrongly")
        return ledger

    def look(self, world: World[Counted]) -> None:
        expect(not world.ledger.free or not world.waiting, "somebody waits, and some are free")
        if self.is_bounded:
            expect(
                world.ledger.free + len(world.ledger.grants) == self.value, "the bound is broken"
            )


def _served(told: Told, ask: Ask) -> bool:
    """Whether who waits longer is served in this very step, or gone."""
    if isinstance(told.event, Lost) and told.event.session == ask.caller.session:
        return True
    return ask.caller in {answer.caller for answer in told.answers}


def _released(ledger: Counted, session: bytes, count: int) -> Counted:
    grants = list(ledger.grants)
    for _ in range(count):
        if grants:
            grants.remove(session if session in grants else grants[0])
    return ledger._replace(free=ledger.free + count, grants=tuple(grants))


@pytest.mark.parametrize(
    ("value", "is_bounded"), [(0, False), (1, False), (2, False), (1, True), (2, True)]
)
def test_it_grants_what_there_is_in_turn_whatever_happens(value: int, is_bounded: bool) -> None:
    explored = walk(SemaphoreBook(value, is_bounded), depth=8)

    assert explored.wrong is None, explored.wrong.told()
    assert explored.states > 100


def _grants_one_more(before: Any, event: Any, after: Any, answers: Any) -> Any:
    if isinstance(event, Ask) and event.verb == "acquire" and not answers:
        return before, (Answer(event.caller, before.token + 1),)
    return after, answers


def _same_token(before: Any, event: Any, after: Any, answers: Any) -> Any:
    return replace(after, token=0), answers


def _serves_one(before: Any, event: Any, after: Any, answers: Any) -> Any:
    return after, answers[:2]


def _newest_first(before: Any, event: Any, after: Any, answers: Any) -> Any:
    if isinstance(event, Ask) and event.verb == "acquire" and not answers:
        after = replace(after, waiting=(event.caller, *before.waiting))
    return after, answers


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (drop_answers_to_others, "somebody waits, and some are free"),
        (ignore_losses, "a lost session has left something behind"),
        (ignore_withdrawals, "nobody asked for this answer|somebody was answered twice"),
        (_grants_one_more, "more were granted than there are"),
        (_same_token, "the token has not grown"),
        (_newest_first, "not in turn"),
    ],
)
def test_the_walk_finds_a_mistake(spoil: Spoil, what: str) -> None:
    assert re.fullmatch(what, first_mistake(SemaphoreBook(), spoil, depth=6))


def test_the_walk_finds_one_who_is_forgotten_when_two_are_let_go() -> None:
    assert first_mistake(SemaphoreBook(0), _serves_one, depth=6) != ""
