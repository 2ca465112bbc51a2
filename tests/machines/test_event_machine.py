"""Event: every order of asking, withdrawing and dying to a depth; and mistakes that the walk must find."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

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

from lightwork.machines.event import EventMachine
from lightwork.machines.shapes import Ask, Caller, Machine, Plain


@dataclass
class EventBook:
    """What is known is whether it is set."""

    machine: Machine[Any] = field(default_factory=EventMachine)
    spec: tuple[Plain, ...] = ()

    def start(self) -> bool:
        return False

    def asks(self, ledger: bool, caller: Caller) -> Iterator[tuple[Plain, ...]]:
        yield from (("set",), ("clear",), ("is_set",), ("wait",))

    def told(self, ledger: bool, told: Told) -> bool:
        for answer in told.answers:
            match told.question(answer):
                case Ask(_, "set" | "clear" as verb):
                    ledger = verb == "set"
                case Ask(_, "is_set"):
                    expect(answer.value == ledger, "it does not know whether it is set")
                case Ask(_, "wait"):
                    expect(ledger, "who waited goes on, and it is not set")
        return ledger

    def look(self, world: World[bool]) -> None:
        expect(not world.ledger or not world.waiting, "somebody waits, and it is set")


def test_nobody_waits_for_what_is_set_whatever_happens() -> None:
    explored = walk(EventBook(), depth=20)

    assert explored.wrong is None, explored.wrong.told()
    assert explored.is_whole or explored.states > 50


def _stays_set(before: Any, event: Any, after: Any, answers: Any) -> Any:
    return replace(after, is_set=before.is_set or after.is_set), answers


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (drop_answers_to_others, "somebody waits, and it is set"),
        (ignore_losses, "a lost session has left something behind"),
        (ignore_withdrawals, "nobody asked for this answer|somebody was answered twice"),
        (_stays_set, "it does not know whether it is set|who waited goes on, and it is not set"),
    ],
)
def test_the_walk_finds_a_mistake(spoil: Spoil, what: str) -> None:
    assert re.fullmatch(what, first_mistake(EventBook(), spoil, depth=6))
