"""What every store promises, on every database: roll-ups, which are metrics without counting."""

import threading
import uuid

import pytest
from sqlalchemy import NullPool, create_engine, func, select

from lightwork.model import State
from lightwork.store.admin import queries
from lightwork.store.contract import Store
from lightwork.store.tables.rollups import rollup
from lightwork.store.views import Rollup
from net.served import database_url
from store.steps import claim_one, execute, new_job, registered, submitted

DONE = Rollup(queue="mail", task="jobs:work", measure="succeeded", jobs=3)
RAN = Rollup(queue="mail", task="jobs:work", measure="run", bucket=5, jobs=3, total_ms=70)


def age(store: Store, minutes: int) -> None:
    """Let all that has happened be so much older."""
    execute(store, f"UPDATE rollup SET minute = minute - {minutes} WHERE minute > 0")


def rows_of(store: Store) -> int:
    engine = create_engine(database_url(store), poolclass=NullPool)
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(rollup)).scalar_one()


def count(rollups: object, measure: str) -> int:
    assert isinstance(rollups, list | tuple)
    return sum(one.jobs for one in rollups if one.measure == measure)


def test_what_workers_add_is_one_history(store: Store) -> None:
    first, second = uuid.uuid4(), uuid.uuid4()

    store.add_rollups(first, [DONE, RAN])
    store.add_rollups(first, [DONE, RAN])
    store.add_rollups(second, [RAN])

    history = store.history(minutes=5)
    assert count(history.rollups, "succeeded") == 6
    assert sum(one.total_ms for one in history.rollups) == 210
    assert {(one.queue, one.task) for one in history.rollups} == {("mail", "jobs:work")}
    assert count(store.totals(), "run") == 9


def test_every_minute_is_by_itself_and_old_ones_are_not_asked_for(store: Store) -> None:
    store.add_rollups(uuid.uuid4(), [DONE])
    age(store, 1)
    store.add_rollups(uuid.uuid4(), [DONE])
    age(store, 10)
    store.add_rollups(uuid.uuid4(), [DONE])

    found = [one.jobs for one in store.history(minutes=30).rollups]

    assert found == [3, 3, 3]
    assert [one.jobs for one in store.history(minutes=2).rollups] == [3]
    assert count(store.totals(), "succeeded") == 9


def test_folding_keeps_history_and_totals_and_frees_the_rows_of_workers(store: Store) -> None:
    for _ in range(5):
        store.add_rollups(uuid.uuid4(), [DONE, RAN])
    age(store, 10)

    gone = store.fold_rollups()

    assert gone == 10
    assert rows_of(store) == 4
    assert count(store.history(minutes=30).rollups, "succeeded") == 15
    assert [one.total_ms for one in store.totals() if one.measure == "run"] == [350]
    assert store.fold_rollups() == 0


def test_a_minute_that_workers_still_add_to_is_not_folded(store: Store) -> None:
    store.add_rollups(uuid.uuid4(), [DONE])

    assert store.fold_rollups() == 0


def test_folding_in_bounded_batches_comes_to_the_same(store: Store) -> None:
    for _ in range(5):
        store.add_rollups(uuid.uuid4(), [DONE, RAN])
    age(store, 10)

    while store.fold_rollups(limit=3):
        pass

    assert count(store.totals(), "run") == 15
    assert count(store.history(minutes=30).rollups, "run") == 15


def test_old_minutes_become_hours_and_old_hours_are_forgotten_but_for_the_totals(
    store: Store,
) -> None:
    for _ in range(10):
        store.add_rollups(uuid.uuid4(), [DONE])
        age(store, 1)
    age(store, 24 * 60)
    while store.fold_rollups():
        pass
    after_a_day = store.history(minutes=48 * 60).rollups
    age(store, 40 * 24 * 60)
    while store.fold_rollups():
        pass

    # Ten minutes lie in one hour, or on both sides of its end.
    assert len(after_a_day) <= 2
    assert all(one.minute % 60 == 0 for one in after_a_day)
    assert count(after_a_day, "succeeded") == 30
    assert not store.history(minutes=90 * 24 * 60).rollups
    assert count(store.totals(), "succeeded") == 30


def test_workers_that_add_and_fold_at_once_lose_nothing(store: Store) -> None:
    for _ in range(4):
        store.add_rollups(uuid.uuid4(), [DONE, RAN])
    age(store, 10)
    errors: list[BaseException] = []

    def work(fold: bool) -> None:
        try:
            for _ in range(8):
                if fold:
                    store.fold_rollups(limit=3)
                else:
                    store.add_rollups(uuid.uuid4(), [DONE, RAN])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number % 2 == 0,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not errors
    assert count(store.totals(), "succeeded") == 3 * (4 + 16)
    assert count(store.history(minutes=30).rollups, "run") == 3 * (4 + 16)


# Depths.


def test_depths_count_each_queue_up_to_a_bound(store: Store) -> None:
    store.submit([new_job(queue="mail") for _ in range(7)])
    store.submit([new_job(queue="mail", delay=60.0), new_job()])
    claim_one(store, registered(store))

    mail, other = sorted(store.depths(most=3), key=lambda depth: depth.queue != "mail")

    assert (mail.queue, mail.jobs) == ("mail", {State.READY: 4, State.SCHEDULED: 1})
    assert (other.queue, other.jobs) == ("default", {State.RUNNING: 1})
    assert other.waited == 0.0


def test_depths_tell_how_long_the_next_job_waits(store: Store) -> None:
    submitted(store)
    submitted(store, queue="mail")
    execute(store, "UPDATE job SET created_at = created_at - 90000 WHERE queue = 'mail'")

    waited = {depth.queue: depth.waited for depth in store.depths()}

    assert waited["mail"] >= 90 > waited["default"]


def test_an_empty_store_has_no_depth(store: Store) -> None:
    assert store.depths() == []


def test_a_claim_tells_how_long_the_job_has_waited(store: Store) -> None:
    submitted(store)
    execute(store, "UPDATE job SET created_at = created_at - 90000")

    assert claim_one(store, registered(store)).waited >= 90


def test_the_summary_counts_up_to_a_bound(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MOST_COUNTED", 3)
    monkeypatch.setattr(queries, "_LEAST_COUNTED", 2)
    store.submit([new_job(queue="mail") for _ in range(7)])
    store.submit([new_job(queue="mail", task="jobs:other") for _ in range(2)])
    store.submit([new_job(delay=60.0) for _ in range(7)])

    summary = store.summary()

    assert [(lane.task, lane.ready) for lane in summary.lanes] == [
        ("jobs:other", 2),
        ("jobs:work", 3),
    ]
    assert summary.queues == {"default": {State.SCHEDULED: 4}, "mail": {State.READY: 5}}
