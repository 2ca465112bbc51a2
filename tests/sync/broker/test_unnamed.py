"""Primitives without a name: they end some time after the last who has them."""

import gc

import pytest

from lightwork.sync.broker.shortcuts import ArenaBroker
from lightwork.sync.broker.unnamed import GRACE, Unnamed
from lightwork.sync.host import Place
from sync.programs import Program

ITS = ("queue", "x")


def test_what_a_session_has_stays() -> None:
    unnamed = Unnamed()
    unnamed.keep(b"a", [ITS])

    assert [*unnamed.forgotten(1e9)] == []


def test_what_nobody_has_is_forgotten_after_a_while() -> None:
    unnamed = Unnamed()
    unnamed.keep(b"a", [ITS])
    unnamed.keep(b"b", [ITS])

    unnamed.drop(b"a", [ITS], 100.0)
    assert [*unnamed.forgotten(1e9)] == []
    unnamed.leave(b"b", 100.0)

    assert [*unnamed.forgotten(100.0 + GRACE - 1)] == []
    assert [*unnamed.forgotten(100.0 + GRACE)] == [ITS]
    assert ITS not in unnamed


def test_what_was_on_its_way_stays_when_it_arrives() -> None:
    unnamed = Unnamed()
    unnamed.keep(b"a", [ITS])
    unnamed.drop(b"a", [ITS], 100.0)

    unnamed.keep(b"b", [ITS])

    assert [*unnamed.forgotten(1e9)] == []


@pytest.mark.process
def test_the_last_who_drops_it_says_so_and_it_is_not_lost_on_its_way(
    host: ArenaBroker, program: Program
) -> None:
    place = Place("queue", "unnamed", (0,))
    kept = host.keep(place, is_named=False)
    host.ask(place, "put", ((b"item",),))

    del kept
    gc.collect()
    host.ask(Place("lock", "other", (False,)), "locked")

    program.do("kept = host.keep(Place('queue', 'unnamed', (0,)), is_named=False)")
    assert program.do("host.ask(Place('queue', 'unnamed', (0,)), 'get', (1, True))") == (
        (0, b"item"),
    )


@pytest.mark.process
def test_a_named_one_stays_while_anybody_uses_the_broker(
    host: ArenaBroker, program: Program
) -> None:
    program.do("host.ask(Place('queue', 'named', (0,)), 'put', ((b'item',),))")
    host.ask(Place("lock", "other", (False,)), "locked")

    program.kill()

    assert host.ask(Place("queue", "named", (0,)), "get", (1, True)) == ((0, b"item"),)
