"""The life of a child, without one."""

from itertools import product

import pytest

from lightwork.errors import IllegalStep
from lightwork.pool.link.child_state import (
    ARE_LEAVING,
    CAN_BE_STOPPED,
    TAKE_CALLS,
    TRANSITIONS,
    ChildEvent,
    ChildState,
    step,
)

DEAD = {ChildState.STILLBORN, ChildState.DEAD}


@pytest.mark.parametrize(("state", "event"), [*product(ChildState, ChildEvent)])
def test_a_pair_that_the_table_does_not_know_raises(state: ChildState, event: ChildEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert step(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(IllegalStep, match=f"{state.value} cannot be {event.value}"):
            step(state, event)


def test_every_state_is_reached() -> None:
    reached = {ChildState.STARTING}
    for _ in ChildState:
        reached |= {after for (state, _), after in TRANSITIONS.items() if state in reached}

    assert reached == set(ChildState)


def test_every_child_that_lives_can_be_killed_and_can_die() -> None:
    for state in set(ChildState) - DEAD:
        assert step(state, ChildEvent.KILLED) is ChildState.KILLED
        assert step(state, ChildEvent.DIED) in DEAD


def test_a_child_that_gets_no_more_calls_never_gets_one_again() -> None:
    for (state, _), after in TRANSITIONS.items():
        assert state in TAKE_CALLS or after not in TAKE_CALLS


def test_only_a_child_that_nobody_wanted_to_end_can_be_told_to_stop() -> None:
    told = {state for state, event in TRANSITIONS if event is ChildEvent.TOLD_TO_STOP}

    assert told == {*CAN_BE_STOPPED} == {*TAKE_CALLS, *ARE_LEAVING}


@pytest.mark.parametrize(
    ("events", "is_stillborn"),
    [
        ((ChildEvent.DIED,), True),
        ((ChildEvent.RETIRED, ChildEvent.DIED), True),
        ((ChildEvent.SAID_READY, ChildEvent.DIED), False),
        ((ChildEvent.RETIRED, ChildEvent.SAID_READY, ChildEvent.DIED), False),
        # Its last words are read after its death is known.
        ((ChildEvent.DIED, ChildEvent.SAID_READY), False),
        ((ChildEvent.KILLED, ChildEvent.DIED), False),
        ((ChildEvent.TOLD_TO_STOP, ChildEvent.DIED), False),
        ((ChildEvent.TOLD_TO_STOP, ChildEvent.KILLED, ChildEvent.DIED), False),
    ],
)
def test_who_dies_unready_and_unwanted_is_stillborn(
    events: tuple[ChildEvent, ...], is_stillborn: bool
) -> None:
    state = ChildState.STARTING
    for event in events:
        state = step(state, event)

    assert (state is ChildState.STILLBORN) == is_stillborn
