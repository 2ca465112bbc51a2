"""Value and Dict: every order of reading and writing to a depth, held against plain variables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import pytest
from walk import Spoil, Told, World, expect, first_mistake, walk

from lightwork.machines.mapping import MappingMachine
from lightwork.machines.shapes import Answer, Ask, Caller, Machine, Plain
from lightwork.machines.value import ValueMachine


class Written(NamedTuple):
    content: bytes
    version: int = 0


@dataclass
class ValueBook:
    """Two bytes. Callers swap with the version that is there, and with one that is not."""

    machine: Machine[Any] = field(default_factory=ValueMachine)
    spec: tuple[Plain, ...] = (b"00",)

    def start(self) -> Written:
        return Written(b"00")

    def asks(self, ledger: Written, caller: Caller) -> Iterator[tuple[Plain, ...]]:
        own = str(caller.thread).encode()
        yield ("get",)
        yield "set", own * 2
        yield "read", 1, 2
        yield "write", 1, own
        yield "swap", ledger.version, own + b"s"
        yield "swap", ledger.version - 1, own + b"t"

    def told(self, ledger: Written, told: Told) -> Written:
        for answer in told.answers:
            ledger = self._answered(ledger, told.question(answer), answer.value)
        return ledger

    def _answered(self, ledger: Written, ask: Ask, value: Plain) -> Written:
        match ask.verb, ask.args:
            case "get", ():
                expect(value == (ledger.version, ledger.content), "read was what is not there")
            case "read", (int(start), int(stop)):
                expect(value == ledger.content[start:stop], "read was what is not there")
            case "set" | "write", (*start, bytes(content)):
                expect(
                    isinstance(value, int) and value > ledger.version, "a version was given twice"
                )
                whole = ledger.content[:1] + content if start else content
                return Written(whole, int(str(value)))
            case "swap", (int(version), bytes(content)):
                is_due = version == ledger.version
                assert isinstance(value, tuple)
                expect(value[0] is is_due, "a swap is misjudged")
                if is_due:
                    ledger = Written(content, version + 1)
                expect(value[1:] == (ledger.version, ledger.content), "read was what is not there")
        return ledger

    def look(self, world: World[Written]) -> None:
        expect(not world.waiting, "somebody waits")


class Entries(NamedTuple):
    """(key, version, value) in the order of the keys' coming."""

    entries: tuple[tuple[bytes, int, bytes], ...] = ()
    last: int = 0

    def find(self, key: Plain) -> tuple[int, bytes] | None:
        return next((tuple(one[1:]) for one in self.entries if one[0] == key), None)  # type: ignore[return-value]

    def without(self, key: Plain) -> "Entries":
        return self._replace(entries=tuple(one for one in self.entries if one[0] != key))

    def put(self, key: bytes, version: int, value: bytes) -> "Entries":
        new = (key, version, value)
        if self.find(key) is None:
            return Entries((*self.entries, new), version)
        return Entries(tuple(new if one[0] == key else one for one in self.entries), version)


@dataclass
class DictBook:
    """Two keys, and a value for each caller."""

    machine: Machine[Any] = field(default_factory=MappingMachine)
    spec: tuple[Plain, ...] = ()

    def start(self) -> Entries:
        return Entries()

    def asks(self, ledger: Entries, caller: Caller) -> Iterator[tuple[Plain, ...]]:
        own = str(caller.thread).encode()
        for key in (b"x", b"y"):
            found = ledger.find(key)
            yield "get", key
            yield "set", key, own
            yield "add", key, own
            yield "swap", key, ledger.last if found is None else found[0], own
            yield "swap", key, 0, own
            yield "delete", key
            yield "pop", key
        yield "keys", 0, 9
        yield "items", 0, 1
        yield "items", min((one[1] for one in ledger.entries), default=1), 9
        yield ("len",)
        yield ("clear",)

    def told(self, ledger: Entries, told: Told) -> Entries:
        for answer in told.answers:
            ledger = self._answered(ledger, told.question(answer), answer.value)
        return ledger

    def _answered(self, ledger: Entries, ask: Ask, told: Plain) -> Entries:
        match ask.verb, ask.args:
            case "get", (key,):
                expect(told == ledger.find(key), "read was what is not there")
            case "set", (bytes(key), bytes(value)):
                expect(isinstance(told, int) and told > ledger.last, "a version was given twice")
                return ledger.put(key, int(str(told)), value)
            case "add" | "swap" as verb, (bytes(key), *version, bytes(value)):
                found = ledger.find(key)
                is_due = found is None if verb == "add" else bool(found and [found[0]] == version)
                assert isinstance(told, tuple)
                expect(told[0] is is_due, f"whether to {verb} is misjudged")
                after = ledger.put(key, ledger.last + 1, value) if is_due else ledger
                expect(told[1] == after.find(key), "read was what is not there")
                return after
            case "delete" | "pop" as verb, (key,):
                found = ledger.find(key)
                expect(told == (found if verb == "pop" else found is not None), "gone is another")
                return ledger.without(key)
            case "keys" | "items", (0, int(limit)):
                assert isinstance(told, tuple)
                keys = [one[1] for one in told if isinstance(one, tuple)]
                expect(
                    keys == [one[0] for one in ledger.entries][:limit], "other keys, or their order"
                )
            case "len", ():
                expect(told == len(ledger.entries), "it miscounts")
            case "clear", ():
                return ledger._replace(entries=())
        return ledger

    def look(self, world: World[Entries]) -> None:
        expect(not world.waiting, "somebody waits")
        expect(len(world.cells) == len(world.ledger.entries), "cells are left behind, or missing")


def test_a_value_is_what_was_written_last() -> None:
    explored = walk(ValueBook(), depth=6)

    assert explored.wrong is None, explored.wrong.told()
    assert explored.states > 50


def test_a_dict_is_as_a_dict_and_knows_its_versions() -> None:
    explored = walk(DictBook(), depth=4)

    assert explored.wrong is None, explored.wrong.told()
    assert explored.states > 200


def test_a_dict_is_read_page_by_page_in_order() -> None:
    machine, cells = MappingMachine(), {}  # type: ignore[var-annotated]
    state, me = machine.begin(()), Caller(b"", 0)
    for key in (b"c", b"a", b"d", b"b", b"a"):
        state, _ = machine.step(state, cells, Ask(me, "set", (key, key)))

    pages, after = [], 0
    while True:
        _, (page,) = machine.step(state, cells, Ask(me, "items", (after, 3)))
        if not page.value:
            break
        pages.append(page.value)
        after = page.value[-1][0]  # type: ignore[index, assignment]

    assert [[one[2] for one in page] for page in pages] == [[b"c", b"a", b"d"], [b"b"]]  # type: ignore[union-attr, index]


def _always_swaps(before: Any, event: Any, after: Any, answers: Any) -> Any:
    if isinstance(event, Ask) and event.verb == "swap" and not answers[0].value[0]:
        after = replace(before, version=before.version + 1)
        return after, (Answer(event.caller, (True, after.version, event.args[1])),)
    return after, answers


def _one_version_for_all(before: Any, event: Any, after: Any, answers: Any) -> Any:
    return replace(after, version=0), answers


def _counts_what_is_gone(before: Any, event: Any, after: Any, answers: Any) -> Any:
    return replace(after, count=max(before.count, after.count)), answers


@pytest.mark.parametrize(
    ("book", "spoil", "what"),
    [
        (ValueBook(), _always_swaps, "a swap is misjudged"),
        (
            ValueBook(),
            _one_version_for_all,
            "a version was given twice|a swap is misjudged|read was .*",
        ),
        (DictBook(), _one_version_for_all, "a version was given twice|read was what is not there"),
        (DictBook(), _counts_what_is_gone, "it miscounts"),
    ],
)
def test_the_walk_finds_a_mistake(book: Any, spoil: Spoil, what: str) -> None:
    assert re.fullmatch(what, first_mistake(book, spoil, depth=4))
