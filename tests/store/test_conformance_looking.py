"""What every store promises, on every database: looking, checking, waking and closing."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import NullPool, create_engine, select
from sqlalchemy.orm import Session

from lightwork.errors import StoreError, UsageError
from lightwork.lifecycle import (
    Failed,
    Retried,
    Succeeded,
)
from lightwork.model import State
from lightwork.store.contract import Store
from lightwork.store.reading import Job
from lightwork.store.sqlstore import open_store
from store.steps import (
    ERROR,
    LANES,
    claim_one,
    end_lease,
    execute,
    make_due,
    new_job,
    registered,
    submitted,
)

# Looking.


def test_jobs_are_listed_newest_first_page_by_page(store: Store) -> None:
    ids = [submitted(store) for _ in range(5)]

    first = store.jobs(limit=3)
    second = store.jobs(limit=3, before_seq=first[-1].seq)

    assert [job.id for job in first + second] == ids[::-1]


def test_jobs_are_listed_by_state_task_and_queue(store: Store) -> None:
    wanted = submitted(store, queue="mail", delay=60)
    submitted(store, queue="mail")
    submitted(store, delay=60)

    found = store.jobs(state=State.SCHEDULED, task="jobs:work", queue="mail")

    assert [job.id for job in found] == [wanted]


def test_job_shows_instants_of_the_database_clock(store: Store) -> None:
    job_id, worker = submitted(store, delay=60), registered(store)
    make_due(store, job_id)
    store.promote()
    store.ack(worker, [(claim_one(store, worker), Succeeded(b"12"))])

    job = store.job(job_id)

    assert job is not None
    assert job.due_at == datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=UTC)
    assert job.started_at is not None
    assert job.finished_at is not None
    assert job.created_at <= job.started_at <= job.finished_at
    # Test and database share a machine here; the margin allows for a slow one.
    assert abs(job.finished_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_job_shows_sizes_not_values(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    store.ack(worker, [(claim_one(store, worker), Succeeded(b"12"))])

    job = store.job(job_id)

    assert job is not None
    assert (job.payload_size, job.result_size) == (7, 2)


def test_unknown_job_is_none(store: Store) -> None:
    assert store.job(uuid.uuid4()) is None


def test_workers_are_shown_with_what_they_run(store: Store) -> None:
    submitted(store)
    worker = registered(store, name="busy")
    claim_one(store, worker)

    (view,) = store.workers()

    assert (view.id, view.name, view.running, view.is_live, view.queues) == (
        worker,
        "busy",
        1,
        True,
        ("default",),
    )


def test_worker_whose_lease_ran_out_is_shown_among_the_dead(store: Store) -> None:
    worker = registered(store)
    end_lease(store, worker)

    assert store.workers() == []
    assert [view.is_live for view in store.workers(include_dead=True)] == [False]


def test_summary_counts_jobs_by_state_and_queue(store: Store) -> None:
    worker = registered(store)
    store.submit([new_job() for _ in range(3)])
    submitted(store, queue="mail", delay=60)
    done, _running = store.claim(worker, lanes=LANES, limit=2)
    store.ack(worker, [(done, Succeeded(b""))])

    summary = store.summary()

    assert summary.queues == {
        "default": {State.READY: 1, State.RUNNING: 1, State.SUCCEEDED: 1},
        "mail": {State.SCHEDULED: 1},
    }
    assert (summary.states[State.SCHEDULED], summary.running) == (1, 1)
    assert (summary.live_workers, summary.slots) == (1, 4)


def test_summary_knows_the_age_of_the_oldest_ready_job(store: Store) -> None:
    submitted(store)
    execute(store, "UPDATE job SET created_at = created_at - 5000")
    submitted(store)

    assert 5 <= store.summary().oldest_ready < 60


def test_summary_of_an_empty_store_counts_zero(store: Store) -> None:
    summary = store.summary()

    assert (set(summary.states.values()), summary.queues, summary.oldest_ready) == ({0}, {}, 0.0)


def test_jobs_are_read_with_ordinary_sqlalchemy(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    store.ack(worker, [(claim_one(store, worker), Failed(ERROR))])
    submitted(store)

    with Session(create_engine(store.url, poolclass=NullPool)) as session:
        found = session.scalars(select(Job).where(Job.state == "failed")).all()

    assert [(job.id, job.state) for job in found] == [(job_id, State.FAILED)]


def test_jobs_are_not_written_with_ordinary_sqlalchemy(store: Store) -> None:
    submitted(store)

    with Session(create_engine(store.url, poolclass=NullPool)) as session:
        session.scalars(select(Job)).one().priority = 5
        with pytest.raises(UsageError):
            session.flush()


# Check.


def test_healthy_store_has_no_problems(store: Store) -> None:
    worker = registered(store)
    store.submit([new_job() for _ in range(3)])
    attempts = store.claim(worker, lanes=LANES, limit=3)
    store.ack(worker, [(attempts[0], Succeeded(b"")), (attempts[1], Failed(ERROR))])

    assert store.check() == []


@pytest.mark.parametrize(
    ("damage", "sign"),
    [
        ("state = 'running', attempt = 1", "no worker holds them"),
        ("worker = x'00'", "a worker holds them"),
        ("id = x'00'", "not 16 bytes"),
        ("failures = -1", "negative counter"),
        ("crashes = 1", "more often than"),
        ("state = 'scheduled'", "scheduled for no time"),
        ("finished_at = 1", "an end is recorded"),
        ("state = 'failed'", "nobody knows when"),
        ("state = 'cancelled', finished_at = 1", "tally"),
    ],
)
def test_check_finds_damage(store: Store, damage: str, sign: str) -> None:
    submitted(store)
    execute(store, f"UPDATE job SET {damage}")

    assert any(sign in problem for problem in store.check())


def test_check_finds_attempts_of_no_job(store: Store) -> None:
    worker = registered(store)
    submitted(store)
    store.ack(worker, [(claim_one(store, worker), Retried(ERROR, 1.0))])
    execute(store, "DELETE FROM job")

    assert store.check() == ["1 ended attempts belong to no job"]


# Waking and closing.


def test_own_commit_is_a_change(store: Store) -> None:
    seen = store.changes()

    submitted(store)

    assert store.changes() != seen


def test_claim_of_nothing_is_no_change(store: Store) -> None:
    worker = registered(store)
    seen = store.changes()

    store.claim(worker, lanes=LANES, limit=1)

    assert store.changes() == seen


def test_wait_ends_when_its_time_is_up(store: Store) -> None:
    seen = store.changes()

    assert store.wait_for_change(seen, 0.0) == seen


def test_wait_returns_at_once_when_something_has_changed(store: Store) -> None:
    seen = store.changes()
    submitted(store)

    assert store.wait_for_change(seen, 3600.0) != seen


def test_closed_store_says_so(url: str) -> None:
    store = open_store(url)
    store.close()
    store.close()

    for use in (lambda: store.submit([new_job()]), store.summary, store.changes):
        with pytest.raises(StoreError, match="closed"):
            use()


def test_payloads_are_read_where_they_are_small(store: Store) -> None:
    small, large = new_job(payload=b"four"), new_job(payload=b"fives")
    store.submit([small, large])

    found = store.payloads([small.id, large.id, uuid.uuid4()], largest=4)

    assert found == {small.id: b"four", large.id: b""}
