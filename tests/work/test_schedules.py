"""Schedules of workers: what the code declares is kept, met, changed and forgotten."""

import logging
import sys
import textwrap
import uuid
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from lightwork.codec import Codec
from lightwork.durable.jobs import new_job
from lightwork.model import CatchUp, Limit, NewSchedule, State, WorkerInfo
from lightwork.store.contract import Store
from lightwork.tasks.task import Task, task
from lightwork.work.catalog import Catalog
from lightwork.work.schedules.declared import new_schedule
from lightwork.work.schedules.keeper import ScheduleKeeper
from lightwork.work.service import Worker
from lightwork.work.upkeep import Upkeep
from store.steps import execute
from waiting import wait_until
from work.jobs import ran
from work.ticks import told

SOMEBODY = uuid.UUID(int=1)


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Catalog]]:
    """Return what a worker knows that starts with this text as its module `lw_deployed`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def catalog(text: str) -> Catalog:
        sys.modules.pop("lw_deployed", None)
        code = "import lightwork as lw\n" + textwrap.dedent(text)
        (tmp_path / "lw_deployed.py").write_text(code)
        return Catalog(modules=["lw_deployed"])

    yield catalog
    sys.modules.pop("lw_deployed", None)


def start(store: Store, catalog: Catalog) -> ScheduleKeeper:
    keeper = ScheduleKeeper(store, catalog)
    keeper.do_due(SOMEBODY)
    return keeper


def kept(store: Store) -> dict[str, str]:
    return {view.name: view.spec for view in store.schedules()}


def register(store: Store, *tasks: str) -> uuid.UUID:
    info = WorkerInfo(id=uuid.uuid4(), name="old", host="h", pid=1, slots=1, tasks=tasks)
    store.register(info, lease=600.0)
    return info.id


DAILY = """
    @lw.task(schedule="0 3 * * *", tz="Europe/Berlin")
    def report(day="today"): ...
"""
WEEKLY = DAILY.replace("* * *", "* * MON")
WITHOUT = DAILY.replace('schedule="0 3 * * *", tz="Europe/Berlin"', "")
GONE = "lw.task"


def test_worker_declares_and_meets_what_its_module_declares(
    store: Store, ticking: Task[[], None]
) -> None:
    told.clear()
    worker = Worker(store, executor="threads:1", tasks=[ticking])
    worker.start()
    try:
        wait_until(lambda: len(ran) >= 2, "two seconds were met")
    finally:
        worker.stop()
        worker.wait()

    (view,) = store.schedules()
    assert (view.name, view.origin, view.spec, view.catch_up) == (
        ticking.name,
        "code",
        "every 1s",
        "all",
    )
    due = sorted(job.due_at for job in store.jobs() if job.due_at is not None)
    assert {(late - soon).total_seconds() for soon, late in pairwise(due)} == {1}
    assert {job.priority for job in store.jobs()} == {3}
    # A job knows for which of them it runs.
    assert told == due[: len(told)]


def test_worker_that_starts_again_changes_nothing(
    store: Store, deploy: Callable[[str], Catalog]
) -> None:
    start(store, deploy(DAILY))
    store.pause_schedule("lw_deployed:report")
    (before,) = store.schedules()

    start(store, deploy(DAILY))

    (after,) = store.schedules()
    assert (after.paused_at, after.created_at) == (before.paused_at, before.created_at)


def test_the_worker_that_has_started_last_decides(
    store: Store, deploy: Callable[[str], Catalog]
) -> None:
    start(store, deploy(DAILY))
    start(store, deploy(WEEKLY))

    assert kept(store) == {"lw_deployed:report": "0 3 * * MON"}


def test_a_schedule_whose_task_has_lost_it_is_forgotten(
    store: Store, deploy: Callable[[str], Catalog]
) -> None:
    start(store, deploy(DAILY))
    # Old workers may well know the task: so do the new ones.
    register(store, "lw_deployed:report")

    start(store, deploy(WITHOUT))

    assert kept(store) == {}


def test_a_schedule_whose_task_is_gone_stays_while_an_old_worker_lives(
    store: Store, deploy: Callable[[str], Catalog]
) -> None:
    start(store, deploy(DAILY))
    old = register(store, "lw_deployed:report")

    keeper = start(store, deploy(GONE))
    assert kept(store) == {"lw_deployed:report": "0 3 * * *"}

    store.sign_off(old)
    keeper._forget(SOMEBODY)
    assert kept(store) == {}


def test_what_others_have_declared_stays(
    store: Store, deploy: Callable[[str], Catalog], ticking: Task[[], None]
) -> None:
    start(store, Catalog([ticking]))
    user = NewSchedule(name="mine", task="lw_deployed:gone", spec="@daily", payload=b"\x01")
    store.declare_schedules([user])

    start(store, deploy(DAILY))

    assert set(kept(store)) == {ticking.name, "mine", "lw_deployed:report"}


def test_a_program_declares_the_tasks_of_modules_that_it_imports_later(
    store: Store, deploy: Callable[[str], Catalog]
) -> None:
    catalog = Catalog(imported=True)
    keeper = start(store, catalog)
    deploy(DAILY)

    # It has found one of them meanwhile, because somebody has submitted it.
    catalog.find("lw_deployed:report")
    keeper.do_due(SOMEBODY)

    assert "lw_deployed:report" in kept(store)


def test_a_copy_with_other_options_takes_no_schedule_away(
    store: Store, deploy: Callable[[str], Catalog]
) -> None:
    start(store, deploy(DAILY))
    report: Task[..., object] = sys.modules["lw_deployed"].report
    catalog = Catalog(imported=True)
    catalog.add(report.options(priority=1))

    start(store, catalog)

    assert "lw_deployed:report" in kept(store)


def test_a_session_is_told_that_its_schedules_are_not_kept(
    store: Store, ticking: Task[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    ticking.name = "__main__:tick@session-17"

    start(store, Catalog([ticking]))

    assert kept(store) == {}
    assert "schedule_not_kept schedule=__main__:tick" in caplog.text


def test_a_name_that_a_command_has_taken_is_told_and_left_alone(
    store: Store, ticking: Task[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    taken = NewSchedule(name=ticking.name, task="m:f", spec="@daily", payload=b"\x01")
    store.declare_schedules([taken])

    start(store, Catalog([ticking]))

    assert kept(store) == {ticking.name: "@daily"}
    assert "was declared by a command" in caplog.text


# Upkeep.


def test_upkeep_meets_what_is_due_and_looks_again_when_the_next_is(store: Store) -> None:
    store.declare_schedules([NewSchedule(name="s", task="m:f", spec="every 1d", payload=b"\x01")])
    execute(store, "UPDATE schedule SET next_at = 1")
    upkeep = Upkeep(store, 60.0)

    upkeep.do_due()

    assert store.summary().states[State.READY] == 1
    assert store.chores().due_in not in (None, 0.0)


def test_what_nobody_here_can_read_is_told_once_and_does_not_keep_the_worker_busy(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.declare_schedules([NewSchedule(name="s", task="m:f", spec="@daily", payload=b"\x01")])
    execute(store, "UPDATE schedule SET next_at = 1, tz = 'Nowhere/City'")
    upkeep = Upkeep(store, 60.0)

    for _ in range(3):
        upkeep._promote(1000.0)

    assert 1000.3 <= upkeep._promote_at <= 1000.5
    told = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 1
    assert "Nowhere/City" in told[0].getMessage()


def test_a_schedule_that_everybody_catches_up_is_bounded_in_each_turn(store: Store) -> None:
    new = NewSchedule(name="s", task="m:f", spec="every 1s", payload=b"\x01", catch_up=CatchUp.ALL)
    store.declare_schedules([new])
    (view,) = store.schedules()
    hour_ago = round(view.read_at.timestamp() * 1000) - 3_600_000
    execute(store, "UPDATE schedule SET next_at = :at", {"at": hour_ago})
    upkeep = Upkeep(store, 60.0)

    upkeep.do_due()

    assert 100 <= store.summary().states[State.READY] <= 200
    assert upkeep.next_at() > 0


def test_what_is_skipped_is_logged(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    spec = "0 0,1,2,3 1 1 *"
    new = NewSchedule(name="s", task="m:f", spec=spec, payload=b"\x01", catch_up=CatchUp.NONE)
    store.declare_schedules([new])
    execute(store, "UPDATE schedule SET next_at = 1767225600000")  # 1 January 2026, 00:00 UTC
    caplog.set_level(logging.INFO)

    Upkeep(store, 60.0).do_due()

    assert "schedule_skipped schedule=s times=4 since=2026-01-01T00:00:00+00:00" in caplog.messages


def report(tenant: str = "a") -> None: ...


def test_what_a_task_declares_of_how_many_there_may_be_goes_with_its_schedule() -> None:
    declared = task(
        schedule="every 1s", unique="report:{tenant}", limit=Limit("tenant:{tenant}", running=1)
    )(report)

    found = new_schedule(declared)

    assert found.limits == (Limit("tenant:a", running=1),)
    assert found.unique == new_job(Codec(), declared, (), {}).unique
