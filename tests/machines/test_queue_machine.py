"""Queue: every order of asking, withdrawing and dying to a depth; and mistakes that the walk must find."""

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from slow_queue import REFUSED, Frozen, SlowQueue
from walk import (
    A0,
    B0,
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

from lightwork.machines.queue import SHUT_DOWN, QueueMachine
from lightwork.machines.ranges import count_of
from lightwork.machines.shapes import Answer, Ask, Caller, Machine, Plain


@dataclass
class QueueBook:
    """With `acks` False all getters ack later, else all at once."""

    maxsize: int = 1
    acks: bool = True
    most_items: int = 3
    machine: Machine[Any] = field(default_factory=QueueMachine)

    @property
    def spec(self) -> tuple[Plain, ...]:
        return (self.maxsize,)

    def start(self) -> Frozen:
        return Frozen()

    def asks(self, ledger: Frozen, caller: Caller) -> Iterator[tuple[Plain, ...]]:
        one, two = str(ledger.last + 1).encode(), str(ledger.last + 2).encode()
        if ledger.last < self.most_items:
            yield "put", (one,)
            yield "try_put", (one,)
        if ledger.last + 1 < self.most_items:
            yield "put", (one, two)
        yield "get", 1, self.acks
        yield "get", 2, self.acks
        yield "try_get", 1, self.acks
        for _, number, holder in ledger.given:
            # What another session has, too: it must be refused.
            yield "ack", (number,)
            if holder.session == caller.session:
                yield "nack", (number,)
        yield "done", 1
        yield ("join",)
        yield ("size",)
        if not ledger.is_emptied:
            yield "shutdown", ledger.is_shut_down

    def told(self, ledger: Frozen, told: Told) -> Frozen:
        slow = SlowQueue(ledger, self.maxsize, self.acks)
        slow.take(told.event)
        answers = {one.caller: _as_text(told.question(one), one) for one in told.answers}
        for caller in {*answers, *slow.answers}:
            got = answers.get(caller, "nothing")
            expected = slow.answers.get(caller, "nothing")
            expect(got == expected, f"answered was {got}, not {expected}")
        numbers = {
            int(content): number for one in told.answers for number, content in _items_of(told, one)
        }
        slow.given = [
            (item, numbers.get(item, number), holder) for item, number, holder in slow.given
        ]
        return slow.frozen()

    def look(self, world: World[Frozen]) -> None:
        ledger, state = world.ledger, world.state
        kept = sorted(int(content) for _, content in world.cells)
        given = [item for item, *_ in ledger.given]
        before = [item for _, items, _ in ledger.putting for item in items]
        expected = sorted([*ledger.ready, *given, *before])
        expect(kept == expected, f"kept are {kept}, not {expected}")
        expect(count_of(state.ready) == len(ledger.ready), "it miscounts")
        expect(state.unfinished == ledger.unfinished, "what is unfinished is miscounted")
        waiting = {ask.verb for ask in world.waiting}
        expect("get" not in waiting or not ledger.ready, "somebody waits, and there is an item")
        is_full = 0 < self.maxsize <= len(ledger.ready)
        expect("put" not in waiting or is_full, "somebody waits, and there is room")
        expect("join" not in waiting or ledger.unfinished, "somebody waits, and all is done")
        expect("put" not in waiting or not ledger.is_shut_down, "somebody waits to put for ever")
        if "get" in waiting and ledger.is_shut_down:
            idle = {ask.caller for ask in world.waiting}
            expect({one for *_, one in ledger.given} - idle, "somebody waits, and nobody works")


def _items_of(told: Told, answer: Answer) -> list[tuple[int, bytes]]:
    is_get = told.question(answer).verb in {"get", "try_get"}
    return list(answer.value or ()) if is_get else []  # type: ignore[arg-type]


def _as_text(ask: Ask, answer: Answer) -> Hashable:
    if answer.refused:
        return REFUSED + answer.refused
    if ask.verb in {"get", "try_get"}:
        items: Any = answer.value
        return tuple(int(content) for _, content in items)
    return answer.value


@pytest.mark.parametrize("acks", [True, False])
@pytest.mark.parametrize("maxsize", [0, 1, 2])
def test_every_item_is_in_one_place_and_nobody_waits_in_vain(maxsize: int, acks: bool) -> None:
    explored = walk(QueueBook(maxsize, acks), depth=5)

    assert explored.wrong is None, explored.wrong.told()
    assert explored.states > 500


@pytest.mark.parametrize(("acks", "depth"), [(True, 12), (False, 8)])
def test_the_same_holds_for_one_of_each_side_for_longer(acks: bool, depth: int) -> None:
    explored = walk(QueueBook(1, acks), depth, callers=(A0, B0))

    assert explored.wrong is None, explored.wrong.told()
    assert explored.states > 500


def _newest_getter_first(before: Any, event: Any, after: Any, answers: Any) -> Any:
    if isinstance(event, Ask) and event.verb == "get" and not answers:
        after = replace(after, getters=(after.getters[-1], *before.getters))
    return after, answers


def _newest_item_first(before: Any, event: Any, after: Any, answers: Any) -> Any:
    def turned(answer: Answer) -> Answer:
        is_many = isinstance(answer.value, tuple) and len(answer.value) > 1
        return replace(answer, value=answer.value[::-1]) if is_many else answer  # type: ignore[index]

    return after, tuple(map(turned, answers))


def _forgets_what_is_given(before: Any, event: Any, after: Any, answers: Any) -> Any:
    return replace(after, given=()), answers


def _counts_no_done(before: Any, event: Any, after: Any, answers: Any) -> Any:
    is_done = isinstance(event, Ask) and event.verb == "done"
    return (replace(after, unfinished=before.unfinished), answers) if is_done else (after, answers)


def _ends_while_others_work(before: Any, event: Any, after: Any, answers: Any) -> Any:
    if after.is_shut_down and after.getters:
        refused = tuple(Answer(one.caller, refused=SHUT_DOWN) for one in after.getters)
        return replace(after, getters=()), (*answers, *refused)
    return after, answers


def _lets_in_too_many(before: Any, event: Any, after: Any, answers: Any) -> Any:
    if isinstance(event, Ask) and event.verb == "put" and not answers and before.ready:
        ((start, _),) = before.ready
        after = replace(after, ready=((start, after.next),), putters=())
        return after, (Answer(event.caller, 1),)
    return after, answers


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (drop_answers_to_others, "answered was nothing, not .*"),
        (ignore_losses, "a lost session has left something behind|answered was .*"),
        (ignore_withdrawals, "kept are .*|answered was .*|somebody was answered twice"),
        (_newest_getter_first, "answered was .*"),
        (_newest_item_first, r"answered was \(2, 1\), not \(1, 2\)"),
        (
            _forgets_what_is_given,
            "answered was refused: not given, not None|answered was nothing.*",
        ),
        (_ends_while_others_work, "answered was refused: shut down, not nothing"),
        (_counts_no_done, "what is unfinished is miscounted"),
        (_lets_in_too_many, "answered was 1, not nothing"),
    ],
)
def test_the_walk_finds_a_mistake(spoil: Spoil, what: str) -> None:
    acks = spoil not in {_forgets_what_is_given, _ends_while_others_work}
    maxsize = 0 if spoil is _newest_item_first else 1

    found = first_mistake(QueueBook(maxsize, acks), spoil, depth=5)

    assert re.fullmatch(what, found)


def test_a_get_that_was_interrupted_is_undone() -> None:
    machine, cells = QueueMachine(), {}  # type: ignore[var-annotated]
    state, _ = machine.step(machine.begin((0,)), cells, Ask(A0, "put", ((b"1", b"2", b"3"),)))
    state, (got,) = machine.step(state, cells, Ask(A0, "get", (2, True)))

    # As a host may say it twice.
    for _ in range(2):
        state, _ = machine.step(state, cells, Ask(A0, "put_back", (got.value,)))
    _, (again,) = machine.step(state, cells, Ask(B0, "get", (5, True)))

    assert again.value == ((0, b"1"), (1, b"2"), (2, b"3"))
