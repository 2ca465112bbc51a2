"""What every store promises of schedules: kept, due, and at most one job for each due time."""

import threading
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from lightwork.errors import StoreError, UsageError
from lightwork.model import CatchUp, NewSchedule, Policy, State
from lightwork.net.opening import open_store
from lightwork.schedule.ids import due_at_of
from lightwork.store.contract import Store
from lightwork.store.schedules import running
from lightwork.store.views import ScheduleView, SkippedTimes
from store.steps import claim_one, execute, registered, state_of, view_of

HOUR = timedelta(hours=1)
# Rare enough that none falls due while a test looks: it would be due once more.
EVERY_HOUR = "0 * * * *"


def new(name: str = "nightly", **changes: Any) -> NewSchedule:
    given: dict[str, Any] = {"task": "jobs:work", "spec": EVERY_HOUR, "payload": b"\x01payload"}
    return NewSchedule(name=name, **(given | changes))


def kept(store: Store, name: str = "nightly") -> ScheduleView:
    view = store.schedule(name)
    assert view is not None
    return view


def declared(store: Store, name: str = "nightly", **changes: Any) -> ScheduleView:
    store.declare_schedules([new(name, **changes)])
    return kept(store, name)


def ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


def set_next(store: Store, at: datetime, name: str = "nightly") -> None:
    """Have it be due at that instant, as if nobody had been there since."""
    execute(store, "UPDATE schedule SET next_at = :at WHERE name = :n", {"at": ms(at), "n": name})


def make_due(store: Store, name: str = "nightly", *, hours: int = 0) -> datetime:
    """Have it be due since so many whole hours, and return when that was."""
    now = kept(store, name).read_at
    due_at = now.replace(minute=0, second=0, microsecond=0) - hours * HOUR
    set_next(store, due_at, name)
    return due_at


def due_times(store: Store, ids: Iterable[uuid.UUID]) -> list[datetime | None]:
    return [view_of(store, job_id).due_at for job_id in ids]


def job_ids(store: Store) -> list[uuid.UUID]:
    return [view.id for view in store.jobs(limit=1000)]


# Declare.


def test_declared_schedule_is_due_next(store: Store) -> None:
    names = store.declare_schedules([new(spec="0 3 * * *", tz="Europe/Berlin")])

    view = kept(store)
    assert names == ["nightly"]
    assert view.next_at is not None
    assert view.read_at < view.next_at <= view.read_at + timedelta(hours=25)
    assert (view.spec, view.tz, view.catch_up, view.origin) == (
        "0 3 * * *",
        "Europe/Berlin",
        "one",
        "user",
    )
    assert (view.paused_at, view.last_at, view.last_job, view.problem) == (None, None, None, "")


def test_interval_is_due_after_one(store: Store) -> None:
    view = declared(store, spec="every 1h30m")

    assert view.next_at is not None
    declared_at = view.next_at - timedelta(hours=1.5)
    assert declared_at <= view.created_at <= view.read_at < declared_at + HOUR


def test_schedules_are_listed_by_name(store: Store) -> None:
    store.declare_schedules([new("b"), new("a"), new("c")])

    assert [view.name for view in store.schedules()] == ["a", "b", "c"]
    assert store.schedule("d") is None


def test_declared_again_nothing_changes(store: Store) -> None:
    declared(store, policy=Policy(queue="slow", retries=3, priority=2))
    due_at = make_due(store)

    names = store.declare_schedules([new(policy=Policy(queue="slow", retries=3, priority=2))])

    assert (names, kept(store).next_at) == ([], due_at)


@pytest.mark.parametrize("change", [{"spec": "0 3 * * *"}, {"tz": "America/New_York"}])
def test_schedule_of_other_times_is_due_from_now_on(store: Store, change: dict[str, str]) -> None:
    declared(store)
    make_due(store, hours=5)

    names = store.declare_schedules([new(**change)])

    view = kept(store)
    assert names == ["nightly"]
    assert view.next_at is not None
    assert view.next_at > view.read_at


@pytest.mark.parametrize(
    "change",
    [
        {"payload": b"\x01other"},
        {"policy": Policy(priority=7)},
        {"catch_up": CatchUp.ALL},
        {"task": "jobs:other"},
    ],
)
def test_what_else_changes_leaves_a_due_time_due(store: Store, change: dict[str, Any]) -> None:
    declared(store)
    due_at = make_due(store, hours=5)

    names = store.declare_schedules([new(**change)])

    assert (names, kept(store).next_at) == (["nightly"], due_at)


def test_paused_schedule_that_changes_stays_paused(store: Store) -> None:
    declared(store)
    store.pause_schedule("nightly")

    store.declare_schedules([new(spec="0 3 * * *")])

    view = kept(store)
    assert (view.spec, view.next_at) == ("0 3 * * *", None)
    assert view.paused_at is not None


@pytest.mark.parametrize("is_code", [True, False])
def test_code_and_commands_do_not_change_each_others(store: Store, is_code: bool) -> None:
    declared(store, is_code=is_code)

    with pytest.raises(UsageError, match="choose another name"):
        store.declare_schedules([new("another"), new(is_code=not is_code)])

    assert [view.name for view in store.schedules()] == ["nightly"]


def test_who_does_not_replace_is_told_what_is_there(store: Store) -> None:
    declared(store)

    with pytest.raises(UsageError, match=r"there is a schedule 'nightly' already, of jobs:work"):
        store.declare_schedules([new(spec="0 3 * * *")], replace=False)

    assert store.declare_schedules([new()], replace=False) == []


def test_those_who_declare_the_same_at_once_keep_one(url: str, store: Store) -> None:
    stores = [open_store(url) for _ in range(4)]
    try:
        for number in range(5):
            start = threading.Barrier(len(stores))

            def declare(one: Store, number: int = number, start: threading.Barrier = start) -> Any:
                start.wait(60)
                return one.declare_schedules([new(f"s{number}"), new(f"t{number}")])

            with ThreadPoolExecutor(len(stores)) as threads:
                names = [name for found in threads.map(declare, stores) for name in found]
            assert sorted(names) == [f"s{number}", f"t{number}"]
    finally:
        for one in stores:
            one.close()


def test_longest_names_are_kept(store: Store) -> None:
    name = "é" * 499

    assert declared(store, f"{name}x").name == f"{name}x"
    assert declared(store, f"{name}X").name == f"{name}X"


# Due.


def test_due_schedule_becomes_a_job(store: Store) -> None:
    declared(store, policy=Policy(priority=3, retries=2))
    due_at = make_due(store)

    (run,) = store.run_due_schedules()

    job, view = view_of(store, run.job_id), kept(store)
    assert (run.schedule, run.due_at) == ("nightly", ms(due_at))
    assert due_at_of(str(run.job_id)) == due_at
    assert (job.state, job.due_at, job.priority, job.policy.retries) == (State.READY, due_at, 3, 2)
    assert (view.next_at, view.last_at, view.last_job) == (due_at + HOUR, due_at, run.job_id)
    attempt = claim_one(store, registered(store))
    assert (attempt.task, attempt.payload) == ("jobs:work", b"\x01payload")


def test_what_is_not_due_becomes_none(store: Store) -> None:
    declared(store, spec="0 0 1 1 *")

    assert store.run_due_schedules() == []


def test_one_due_time_becomes_one_job(store: Store) -> None:
    declared(store)
    make_due(store)

    made = [store.run_due_schedules() for _ in range(3)]

    assert [len(runs) for runs in made] == [1, 0, 0]
    assert len(job_ids(store)) == 1


def test_due_job_with_a_delay_waits(store: Store) -> None:
    declared(store, policy=Policy(delay=3600))
    make_due(store)

    (run,) = store.run_due_schedules()

    assert state_of(store, run.job_id) is State.SCHEDULED


def test_workers_at_the_same_due_time_make_one_job(url: str, store: Store) -> None:
    # Celery's beat must run once; Procrastinate, Oban and River elect a leader.
    stores = [open_store(url) for _ in range(4)]
    names = [f"s{number}" for number in range(12)]
    store.declare_schedules([new(name, catch_up=CatchUp.ALL) for name in names])
    runs = []
    try:
        for hours in (2, 5, 8):
            # What was due before is due again, and three times that were not.
            first = {name: make_due(store, name, hours=hours) for name in names}
            start = threading.Barrier(len(stores))

            def run(one: Store, start: threading.Barrier = start) -> Any:
                start.wait(60)
                return one.run_due_schedules(limit=1000)

            with ThreadPoolExecutor(len(stores)) as threads:
                runs += [run for found in threads.map(run, stores) for run in found]
    finally:
        for one in stores:
            one.close()

    made = [(run.schedule, run.due_at) for run in runs]
    for name in names:
        last_at = kept(store, name).last_at
        assert last_at is not None
        expected = range(ms(first[name]), ms(last_at) + 1, 3_600_000)
        assert sorted(at for schedule, at in made if schedule == name) == list(expected)
    assert sorted(run.job_id for run in runs) == sorted(job_ids(store))


def test_whoever_dies_before_the_commit_leaves_it_due(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared(store)
    due_at = make_due(store)
    insert = running._insert

    def die(*values: Any) -> Any:
        insert(*values)
        raise StoreError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(running, "_insert", die)
        with pytest.raises(StoreError, match="killed"):
            store.run_due_schedules()

    assert (kept(store).next_at, job_ids(store)) == (due_at, [])
    assert len(store.run_due_schedules()) == 1


def test_due_time_that_comes_again_makes_no_second_job(store: Store) -> None:
    declared(store)
    due_at = make_due(store)
    (run,) = store.run_due_schedules()

    set_next(store, due_at)
    again = store.run_due_schedules()

    assert (again, job_ids(store)) == ([], [run.job_id])
    assert kept(store).next_at == due_at + HOUR


def test_schedule_that_is_removed_and_declared_again_makes_no_second_job(store: Store) -> None:
    declared(store)
    due_at = make_due(store)
    (run,) = store.run_due_schedules()

    store.remove_schedules(["nightly"])
    declared(store)
    set_next(store, due_at)

    assert (store.run_due_schedules(), job_ids(store)) == ([], [run.job_id])


@pytest.mark.parametrize(("catch_up", "made"), [("none", []), ("one", [0]), ("all", [3, 2, 1, 0])])
def test_what_was_missed_is_caught_up(store: Store, catch_up: str, made: list[int]) -> None:
    # graphile-worker's cron stopped after the database had been down.
    declared(store, catch_up=CatchUp(catch_up), spec="0 0,1,2,3 1 1 *")
    execute(store, "UPDATE schedule SET next_at = 1767225600000")  # 1 January 2026, 00:00 UTC

    runs = store.run_due_schedules()

    first = datetime.fromisoformat("2026-01-01T00:00+00:00")
    assert due_times(store, [run.job_id for run in runs]) == [
        first + (3 - back) * HOUR for back in made
    ]
    next_at = kept(store).next_at
    assert next_at is not None
    assert next_at.year >= 2027


@pytest.mark.parametrize(("catch_up", "count"), [("none", 4), ("one", 3), ("all", 0)])
def test_what_is_skipped_is_told(store: Store, catch_up: str, count: int) -> None:
    declared(store, catch_up=CatchUp(catch_up), spec="0 0,1,2,3 1 1 *")
    declared(store, "never due")
    execute(store, "UPDATE schedule SET next_at = 1767225600000 WHERE name = 'nightly'")
    skipped: dict[str, SkippedTimes] = {}

    store.run_due_schedules(skipped=skipped)

    first = datetime.fromisoformat("2026-01-01T00:00+00:00")
    told = {"nightly": SkippedTimes(count=count, is_all=True, since=first)}
    assert skipped == (told if count else {})


def test_what_is_met_in_time_is_not_skipped(store: Store) -> None:
    declared(store)
    make_due(store)
    skipped: dict[str, SkippedTimes] = {}

    assert len(store.run_due_schedules(skipped=skipped)) == 1
    assert skipped == {}


def test_skipped_times_of_cron_are_counted_up_to_a_bound(store: Store) -> None:
    declared(store, "cron", spec="* * * * *")
    declared(store, "interval", spec="every 1m")
    for name in ("cron", "interval"):
        make_due(store, name, hours=5)
    skipped: dict[str, SkippedTimes] = {}

    store.run_due_schedules(skipped=skipped)

    cron, interval = skipped["cron"], skipped["interval"]
    assert (cron.count, cron.is_all) == (100, False)
    assert interval.is_all
    assert 5 * 60 <= interval.count <= 6 * 60


def test_catching_up_is_bounded_in_each_transaction(store: Store) -> None:
    declared(store, catch_up=CatchUp.ALL)
    first = make_due(store, hours=250)

    made = [store.run_due_schedules(limit=100) for _ in range(4)]

    assert [len(runs) for runs in made[:2]] == [100, 100]
    times = [run.due_at for runs in made for run in runs]
    assert times[:251] == [ms(first + number * HOUR) for number in range(251)]
    assert kept(store).next_at > kept(store).read_at  # type: ignore[operator]


def test_clock_that_is_put_back_lets_the_schedule_go_on(store: Store) -> None:
    # With a due time that lies years ahead it would be silent for years.
    view = declared(store)
    made_at = view.read_at + timedelta(days=3650)
    values = {"next": ms(made_at + HOUR), "last": ms(made_at)}
    execute(store, "UPDATE schedule SET next_at = :next, last_at = :last", values)

    runs = store.run_due_schedules()

    view = kept(store)
    assert (runs, view.last_at) == ([], None)
    assert view.next_at is not None
    assert view.read_at < view.next_at <= view.read_at + HOUR


def test_clock_that_is_put_back_a_little_changes_nothing(store: Store) -> None:
    declared(store)
    due_at = make_due(store, hours=-1)
    execute(store, "UPDATE schedule SET last_at = :at", {"at": ms(due_at)})

    assert store.run_due_schedules() == []
    assert kept(store).next_at == due_at


@pytest.mark.parametrize(
    "damage", ["tz = 'Nowhere/City'", "spec = '* *'", "policy = '{'", "catch_up = 'x'"]
)
def test_schedule_that_cannot_be_read_keeps_no_other_from_its_turn(
    store: Store, damage: str
) -> None:
    # River: a full batch of what cannot be rescued blocked all later rescues.
    store.declare_schedules([new(f"a{number:03}") for number in range(120)] + [new("b")])
    execute(store, f"UPDATE schedule SET {damage} WHERE name <> 'b'")
    execute(store, "UPDATE schedule SET next_at = 60000")

    runs = store.run_due_schedules(limit=10)

    assert [run.schedule for run in runs] == ["b"]
    assert kept(store, "a000").problem != ""
    assert kept(store, "b").problem == ""


def test_earliest_schedule_is_told_with_scheduled_jobs(store: Store) -> None:
    assert store.chores().due_in is None

    declared(store, spec="every 100s")
    left = store.chores().due_in
    assert left is not None
    assert 40 < left <= 100

    make_due(store)
    assert store.chores().due_in == 0.0


def test_store_with_schedules_is_healthy(store: Store) -> None:
    declared(store, policy=Policy(queue="slow", retries=2))
    make_due(store)
    store.run_due_schedules()
    declared(store, "paused")
    store.pause_schedule("paused")

    assert store.check() == []
