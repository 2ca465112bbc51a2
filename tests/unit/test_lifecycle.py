"""Lifecycle: the table is complete, closed and drawn as it is."""

import itertools
import typing
from typing import Any

import pytest

from lightwork import lifecycle
from lightwork.errors import IllegalStep
from lightwork.lifecycle import TRANSITIONS, Reblocked, Resubmitted, mermaid, states_before, step
from lightwork.model import FINAL_STATES, State

EVENTS: tuple[Any, ...] = typing.get_args(lifecycle.Event)
ATTEMPT_ENDS: tuple[Any, ...] = typing.get_args(lifecycle.AttemptEnd)
PAIRS = list(itertools.product(State, EVENTS))
MISSING = [pair for pair in PAIRS if pair not in TRANSITIONS]


def name_of(value: Any) -> str:
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize(("state", "event"), TRANSITIONS, ids=name_of)
def test_a_known_pair_leads_to_the_state_of_the_table(state: State, event: Any) -> None:
    assert step(state, event) is TRANSITIONS[state, event]


@pytest.mark.parametrize(("state", "event"), MISSING, ids=name_of)
def test_a_missing_pair_raises(state: State, event: Any) -> None:
    with pytest.raises(IllegalStep, match=f"a {state} job cannot be {event.__name__}"):
        step(state, event)


def test_a_final_state_is_left_only_by_resubmission() -> None:
    leaving = {event for state, event in TRANSITIONS if state in FINAL_STATES}

    assert leaving == {Resubmitted, Reblocked}


def test_a_job_that_succeeded_never_runs_again() -> None:
    assert not [event for state, event in TRANSITIONS if state is State.SUCCEEDED]


def test_final_states_are_those_that_say_so() -> None:
    assert {state for state in State if state.is_final} == FINAL_STATES


@pytest.mark.parametrize("state", State)
def test_every_state_can_be_reached(state: State) -> None:
    reached = {State.BLOCKED, State.SCHEDULED, State.READY}
    for _ in State:
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}

    assert state in reached


@pytest.mark.parametrize("state", [state for state in State if not state.is_final])
def test_every_waiting_or_running_job_can_be_cancelled(state: State) -> None:
    assert step(state, lifecycle.Cancelled) is State.CANCELLED


@pytest.mark.parametrize("event", ATTEMPT_ENDS, ids=name_of)
def test_every_end_of_an_attempt_leaves_running(event: Any) -> None:
    assert step(State.RUNNING, event) is not State.RUNNING


def test_only_a_claim_begins_an_attempt() -> None:
    entering = {event for (_, event), after in TRANSITIONS.items() if after is State.RUNNING}

    assert entering == {lifecycle.Claimed}


@pytest.mark.parametrize("event", EVENTS, ids=name_of)
def test_every_event_is_legal_somewhere(event: Any) -> None:
    assert states_before(event)


@pytest.mark.parametrize("event", EVENTS, ids=name_of)
def test_the_guard_names_exactly_the_legal_states(event: Any) -> None:
    legal = {state for state in State if (state, event) in TRANSITIONS}

    assert set(states_before(event)) == legal


def test_the_figure_contains_exactly_the_transitions() -> None:
    drawn = {line.strip() for line in mermaid().splitlines() if ": " in line}

    assert drawn == {
        f"{before} --> {after}: {event.__name__}" for (before, event), after in TRANSITIONS.items()
    }


def test_the_figure_ends_exactly_in_the_final_states() -> None:
    ends = {line.strip() for line in mermaid().splitlines() if line.endswith("--> [*]")}

    assert ends == {f"{state} --> [*]" for state in FINAL_STATES}


def test_the_figure_begins_where_a_submitter_may_put_a_job() -> None:
    begins = {line.strip() for line in mermaid().splitlines() if "[*] -->" in line}

    assert begins == {"[*] --> blocked", "[*] --> scheduled", "[*] --> ready"}
