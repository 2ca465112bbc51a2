"""All kinds of machines: what hosts rely on."""

from dataclasses import is_dataclass
from typing import Any

import pytest

from lightwork.machines.kinds import MACHINES
from lightwork.machines.shapes import Ask, Caller, Lost, Plain, Withdraw

SPECS: dict[str, tuple[Plain, ...]] = {
    "lock": (True,),
    "semaphore": (1, False),
    "condition": (),
    "event": (),
    "barrier": (2,),
    "queue": (0,),
    "value": (b"0",),
    "dict": (),
}


def test_every_kind_is_tried() -> None:
    assert set(MACHINES) == set(SPECS)


@pytest.mark.parametrize("kind", SPECS)
def test_a_state_is_plain_data_that_can_be_compared(kind: str) -> None:
    state: Any = MACHINES[kind].begin(SPECS[kind])

    assert is_dataclass(state)
    assert hash(state) == hash(MACHINES[kind].begin(SPECS[kind]))


@pytest.mark.parametrize("kind", SPECS)
def test_who_was_never_there_changes_nothing_by_leaving(kind: str) -> None:
    machine = MACHINES[kind]
    state: Any = machine.begin(SPECS[kind])

    for event in (Withdraw(Caller(b"s", 1)), Lost(b"s")):
        assert machine.step(state, {}, event) == (state, ())


@pytest.mark.parametrize("kind", SPECS)
def test_an_unknown_verb_is_a_mistake_of_ours(kind: str) -> None:
    machine = MACHINES[kind]

    with pytest.raises(AssertionError, match="what it does not know"):
        machine.step(machine.begin(SPECS[kind]), {}, Ask(Caller(b"s", 1), "dance"))
