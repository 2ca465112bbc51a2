"""What every store promises of schedules that people pause, resume, remove and run now."""

import uuid

import pytest

from lightwork.errors import BadSchedule
from lightwork.model import CatchUp, Policy
from lightwork.store.contract import Store
from store.steps import execute, view_of
from store.test_conformance_schedules import HOUR, declared, job_ids, kept, make_due, new


def test_paused_schedule_makes_no_jobs(store: Store) -> None:
    declared(store)
    make_due(store, hours=3)

    assert store.pause_schedule("nightly")
    assert store.pause_schedule("nightly")

    assert (store.run_due_schedules(), store.chores().due_in) == ([], None)
    view = kept(store)
    assert (view.next_at, view.paused_at is None) == (None, False)


@pytest.mark.parametrize("catch_up", CatchUp)
def test_due_times_of_a_pause_are_not_caught_up(store: Store, catch_up: CatchUp) -> None:
    declared(store, catch_up=catch_up)
    make_due(store, hours=3)
    store.pause_schedule("nightly")

    assert store.resume_schedule("nightly")
    assert store.resume_schedule("nightly")

    view = kept(store)
    assert (store.run_due_schedules(), view.paused_at) == ([], None)
    assert view.next_at is not None
    assert view.read_at < view.next_at <= view.read_at + HOUR


def test_removed_schedule_makes_no_jobs_though_it_was_due(store: Store) -> None:
    store.declare_schedules([new("a"), new("b")])
    make_due(store, "a")

    assert store.remove_schedules(["a", "c"]) == ["a"]

    assert (store.run_due_schedules(), [view.name for view in store.schedules()]) == ([], ["b"])


def test_what_is_not_there_is_told(store: Store) -> None:
    assert not store.pause_schedule("x")
    assert not store.resume_schedule("x")
    assert store.run_schedule("x", uuid.uuid4()) is None
    assert store.remove_schedules(["x"]) == []


@pytest.mark.parametrize("is_paused", [False, True])
def test_schedule_can_be_run_now(store: Store, is_paused: bool) -> None:
    before = declared(store, spec="0 0 1 1 *", policy=Policy(priority=4))
    if is_paused:
        store.pause_schedule("nightly")
        before = kept(store)
    job_id = uuid.uuid4()

    assert store.run_schedule("nightly", job_id) == job_id
    assert store.run_schedule("nightly", job_id) == job_id

    view = kept(store)
    assert (job_ids(store), view_of(store, job_id).priority) == ([job_id], 4)
    assert (view.next_at, view.paused_at, view.last_job) == (
        before.next_at,
        before.paused_at,
        job_id,
    )
    assert view.last_at is not None


def test_schedule_that_cannot_be_read_is_not_run_now(store: Store) -> None:
    declared(store)
    execute(store, "UPDATE schedule SET tz = 'Nowhere/City'")

    with pytest.raises(BadSchedule, match="Nowhere/City"):
        store.run_schedule("nightly", uuid.uuid4())
