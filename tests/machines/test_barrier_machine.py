"""Barrier: every order of asking, withdrawing and dying to a depth; and mistakes that the walk must find."""

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

from lightwork.machines.barrier import BROKEN, BarrierMachine
from lightwork.machines.shapes import Answer, Ask, Caller, Lost, Machine, Plain, Withdraw


class Round(NamedTuple):
    """Who acts for the others of its round, and who these are."""

    acting: Caller | None = None
    others: tuple[Caller, ...] = ()
    is_broken: bool = False


@dataclass
class BarrierBook:
    parties: int = 2
    acts: bool = False
    machine: Machine[Any] = field(default_factory=BarrierMachine)

    @property
    def spec(self) -> tuple[Plain, ...]:
        return (self.parties,)

    def start(self) -> Round:
        return Round()

    def asks(self, ledger: Round, caller: Caller) -> Iterator[tuple[Plain, ...]]:
        # Who acts passes, or leaves by an abort.
        if ledger.acting != caller:
            yield ("wait", self.acts)
        yield ("pass",)
        yield from (("abort",), ("reset",), ("state",))

    def told(self, ledger: Round, told: Told) -> Round:
        line = [ask.caller for ask in told.waiting if ask.verb == "wait"]
        answers = list(told.answers)
        match told.event:
            case Ask(caller, "state"):
                here = 0 if ledger.acting else len([one for one in line if one != caller])
                expect(
                    answers.pop(0).value == (self.parties, here, ledger.is_broken), "it miscounts"
                )
            case Ask(caller, "abort" | "reset" as verb):
                _expect_all_refused(answers[1:], line, caller)
                return Round(is_broken=verb == "abort")
            case Ask(caller, "pass"):
                passed = answers.pop(0)
                expect(passed.refused == BROKEN * (ledger.acting != caller), "a pass is misjudged")
                if not passed.refused:
                    self._go_on(answers, ledger.others)
                    line = [one for one in line if one not in ledger.others]
                    ledger = Round()
            case Ask(caller, "wait") if ledger.is_broken:
                expect(
                    answers == [Answer(caller, refused=BROKEN)], "it lets in though it is broken"
                )
                return ledger
            case Withdraw():
                # Its own answer, too: that its time was up is why it is broken.
                _expect_all_refused(answers, line, None)
                return Round(is_broken=True)
            case Lost(session):
                inside = [*line, *([ledger.acting] if ledger.acting else [])]
                if any(one.session == session for one in inside):
                    line = [one for one in line if one.session != session]
                    _expect_all_refused(answers, line, None)
                    return Round(is_broken=True)
        return self._filled(ledger, line, answers)

    def _filled(self, ledger: Round, line: list[Caller], answers: list[Answer]) -> Round:
        """Read what is answered when rounds are full."""
        while answers and ledger.acting is None:
            last, others = line[self.parties - 1], tuple(line[: self.parties - 1])
            expect(answers.pop(0) == Answer(last, self.parties - 1), "the last one is not the last")
            if self.acts:
                ledger = Round(last, others)
            else:
                self._go_on(answers, others)
            line = line[self.parties :]
        expect(not answers, "somebody goes on before all are there")
        return ledger

    def _go_on(self, answers: list[Answer], others: tuple[Caller, ...]) -> None:
        for place, caller in enumerate(others):
            expect(
                answers and answers.pop(0) == Answer(caller, place), "one of a round is left behind"
            )

    def look(self, world: World[Round]) -> None:
        waiting = len(world.waiting)
        expect(not world.ledger.is_broken or not waiting, "somebody waits, and it is broken")
        is_full = world.ledger.acting is None and waiting >= self.parties
        expect(not is_full, "all are there, and they wait")


def _expect_all_refused(answers: list[Answer], line: list[Caller], but: Caller | None) -> None:
    expected = [Answer(one, refused=BROKEN) for one in line if one != but]
    expect(answers == expected, "who waits at a broken barrier is not told")


@pytest.mark.parametrize("acts", [False, True])
@pytest.mark.parametrize("parties", [1, 2, 3])
def test_a_round_goes_on_together_or_not_at_all(parties: int, acts: bool) -> None:
    explored = walk(BarrierBook(parties, acts), depth=20)

    assert explored.wrong is None, explored.wrong.told()
    assert explored.is_whole or explored.states > 40


def _lets_go_before_it_acts(before: Any, event: Any, after: Any, answers: Any) -> Any:
    if after.acting and not before.acting:
        early = tuple(Answer(one, place) for place, one in enumerate(after.waiting))
        return replace(after, waiting=()), (*answers, *early)
    return after, answers


def _is_whole_again(before: Any, event: Any, after: Any, answers: Any) -> Any:
    return replace(after, is_broken=False), answers


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (drop_answers_to_others, "who waits at a broken barrier is not told"),
        (ignore_losses, "a lost session has left something behind"),
        (ignore_withdrawals, "who waits at a broken barrier is not told"),
        (_lets_go_before_it_acts, "somebody goes on before all are there"),
        (_is_whole_again, "it lets in though it is broken"),
    ],
)
def test_the_walk_finds_a_mistake(spoil: Spoil, what: str) -> None:
    assert re.fullmatch(what, first_mistake(BarrierBook(2, acts=True), spoil, depth=6))
