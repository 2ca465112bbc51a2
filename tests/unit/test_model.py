"""Model: nouns that cross layers are frozen, but for those of every job, slotted and travel between processes."""

import dataclasses
import inspect
import pickle
import uuid
from typing import Any

import pytest

from lightwork import model
from lightwork.model import (
    FINAL_STATES,
    Attempt,
    Backoff,
    ErrorInfo,
    JobOutcome,
    Limit,
    NewJob,
    NewSchedule,
    Policy,
    Progress,
    Retention,
    State,
    Unique,
    WorkerInfo,
)

ID = uuid.UUID(int=1)
NOUNS = [
    model.Setting(name="max_payload", value=1, default=1),
    Backoff(),
    Policy(retry_on=("OSError",)),
    NewJob(id=ID, task="m:f", payload=b""),
    Attempt(job_id=ID, seq=1, number=1, task="m:f", payload=b"", policy=Policy()),
    ErrorInfo(type="ValueError", text="x"),
    Progress(done=1),
    WorkerInfo(id=ID, name="w", host="h", pid=1, slots=2),
    JobOutcome(job_id=ID, state=State.SUCCEEDED, attempt=1),
    NewSchedule(name="n", task="m:f", spec="every 1s", payload=b""),
    Retention(),
    Unique("user:{n}"),
    Limit("tenant:{n}", running=5),
]
# To make one that is frozen takes four times as long.
OF_EVERY_JOB = (NewJob,)
FROZEN = [noun for noun in NOUNS if not isinstance(noun, OF_EVERY_JOB)]


def test_every_noun_of_the_module_is_tried_here() -> None:
    defined = {
        cls
        for _, cls in inspect.getmembers(model, inspect.isclass)
        if dataclasses.is_dataclass(cls) and cls.__module__ in {model.__name__, "lightwork"}
    }

    assert {type(noun) for noun in NOUNS} == defined


@pytest.mark.parametrize("noun", FROZEN, ids=lambda noun: type(noun).__name__)
def test_a_noun_cannot_be_changed(noun: Any) -> None:
    name = dataclasses.fields(noun)[0].name

    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(noun, name, None)


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: type(noun).__name__)
def test_a_noun_takes_no_room_for_more(noun: Any) -> None:
    assert not hasattr(noun, "__dict__")


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: type(noun).__name__)
def test_a_noun_comes_back_from_another_process_equal(noun: Any) -> None:
    assert pickle.loads(pickle.dumps(noun)) == noun


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: type(noun).__name__)
def test_a_noun_is_built_by_names_only(noun: Any) -> None:
    # Keys of limits may come first, and nothing after them.
    with pytest.raises(TypeError):
        type(noun)("a key", "by position")


def test_the_states_are_the_seven_of_the_contract() -> None:
    words = "blocked scheduled ready running succeeded failed cancelled"

    assert [str(state) for state in State] == words.split()


def test_three_states_are_final() -> None:
    assert {State.SUCCEEDED, State.FAILED, State.CANCELLED} == FINAL_STATES


def test_a_job_runs_once_and_survives_two_crashes_by_default() -> None:
    policy = Policy()

    assert (policy.retries, policy.max_crashes, policy.idempotent) == (0, 3, True)
