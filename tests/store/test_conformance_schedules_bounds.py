"""What every store promises: jobs of schedules keep to the unique keys and limits of their tasks."""

import uuid

import pytest

from lightwork.lifecycle import Succeeded
from lightwork.model import CatchUp, Limit, OnConflict, State, UniqueKey
from lightwork.store.contract import Store
from store.steps import claim_one, registered
from store.test_conformance_schedules import declared, kept, make_due, new


def made_twice(store: Store, on_conflict: OnConflict) -> list[State]:
    """Return the states of the jobs of two due times whose key is one, first to last."""
    key = UniqueKey(b"k" * 16, "end", 0.0, on_conflict)
    declared(store, unique=key, catch_up=CatchUp.ALL)
    make_due(store, hours=5)
    for _ in range(2):
        store.run_due_schedules(limit=1)
    return [view.state for view in reversed(store.jobs())]


@pytest.mark.parametrize(
    ("on_conflict", "states"),
    [
        ("skip", [State.READY]),
        ("raise", [State.READY]),
        ("replace", [State.CANCELLED, State.READY]),
    ],
)
def test_due_time_whose_key_is_held_is_met_by_who_holds_it(
    store: Store, on_conflict: OnConflict, states: list[State]
) -> None:
    assert made_twice(store, on_conflict) == states
    assert store.check() == []


def test_job_that_runs_is_not_replaced_and_holds_up_no_other_schedule(store: Store) -> None:
    made_twice(store, "replace")
    claim_one(store, registered(store))
    declared(store, "other")
    make_due(store, "other")

    runs = store.run_due_schedules()

    assert [run.schedule for run in runs] == ["other"]
    (running,) = store.jobs(state=State.RUNNING)
    assert store.run_schedule("nightly", uuid.uuid4()) == running.id
    assert store.summary().states[State.RUNNING] == 1


@pytest.mark.parametrize("on_conflict", ["skip", "raise"])
def test_who_runs_a_schedule_whose_key_is_held_is_told_by_which_job(
    store: Store, on_conflict: OnConflict
) -> None:
    made_twice(store, on_conflict)
    (holder,) = store.jobs()
    before = kept(store)

    stands = store.run_schedule("nightly", uuid.uuid4())

    assert (stands, [view.id for view in store.jobs()]) == (holder.id, [holder.id])
    assert kept(store).last_at == before.last_at


def test_a_schedule_that_replaces_its_job_is_run(store: Store) -> None:
    made_twice(store, "replace")
    job_id = uuid.uuid4()

    assert store.run_schedule("nightly", job_id) == job_id
    assert store.jobs()[0].id == job_id


def test_key_of_a_schedule_is_free_again_when_its_job_has_ended(store: Store) -> None:
    made_twice(store, "skip")
    worker = registered(store)
    store.ack(worker, [(claim_one(store, worker), Succeeded(b""))])

    assert len(store.run_due_schedules(limit=1)) == 1


def test_jobs_of_a_schedule_keep_to_its_limits(store: Store) -> None:
    declared(store, limits=(Limit("one", running=1),), catch_up=CatchUp.ALL)
    make_due(store, hours=2)
    store.run_due_schedules()
    worker = registered(store)

    claimed = store.claim(worker, lanes=store.lanes(["default"]), limit=9)

    assert len(store.jobs()) == 3
    assert len(claimed) == 1
    assert store.check() == []


def test_keys_of_a_schedule_change_with_its_declaration(store: Store) -> None:
    declared(store)
    names = store.declare_schedules([new(limits=(Limit("one", running=1),))])

    assert names == ["nightly"]
