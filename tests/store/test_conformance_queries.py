"""What every store promises, on every database: queries, checking, waking and closing."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, func, inspect, select
from sqlalchemy.orm import Session, aliased

from lightwork.errors import StoreError, UsageError
from lightwork.lifecycle import (
    Cancelled,
    Failed,
    Retried,
    Succeeded,
)
from lightwork.model import FINAL_STATES, State
from lightwork.net.opening import open_store
from lightwork.store.contract import Store
from lightwork.store.orm import Attempt, Job
from net.served import database_url
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


@pytest.fixture
def session(store: Store) -> Iterator[Session]:
    with Session(create_engine(database_url(store), poolclass=NullPool)) as opened:
        yield opened


@pytest.fixture
def all_states(store: Store) -> dict[uuid.UUID, State]:
    """A job in each state that a store makes."""
    worker = registered(store)
    store.submit([new_job() for _ in range(4)])
    attempts = store.claim(worker, lanes=LANES, limit=4)
    store.ack(
        worker, list(zip(attempts, [Succeeded(b"12"), Failed(ERROR), Cancelled()], strict=False))
    )
    ids = [attempt.job_id for attempt in attempts] + [submitted(store), submitted(store, delay=60)]
    return store.states(ids)


def test_jobs_are_read_with_ordinary_sqlalchemy(
    session: Session, all_states: dict[uuid.UUID, State]
) -> None:
    found = session.scalars(select(Job).where(Job.state == "failed")).all()

    assert [(all_states[job.id], job.state) for job in found] == [(State.FAILED, State.FAILED)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Job.state == State.READY, {State.READY}),
        (Job.state != "ready", set(State) - {State.READY, State.BLOCKED}),
        (Job.state.in_(["failed", "succeeded"]), {State.FAILED, State.SUCCEEDED}),
        (Job.state.in_(FINAL_STATES), FINAL_STATES),
        (Job.state.not_in([State.RUNNING, "cancelled"]), set(State) - {State.RUNNING, State.CANCELLED, State.BLOCKED}),
        (Job.state.in_([]), set()),
        (Job.state == "asleep", set()),
        (Job.state.like("s%"), {State.SUCCEEDED, State.SCHEDULED}),
        (Job.state.is_(None), set()),
        ((Job.state == "failed") | (Job.attempt == 0), {State.FAILED, State.READY, State.SCHEDULED}),
        (Job.error_type == "ValueError", {State.FAILED}),
        (Job.worker.is_not(None), {State.RUNNING}),
    ],
)  # fmt: skip
def test_state_is_an_attribute_like_any_other(
    session: Session, all_states: dict[uuid.UUID, State], condition: Any, expected: set[State]
) -> None:
    found = session.execute(select(Job.id, Job.state).where(condition).order_by(Job.state)).all()

    assert {job_id for job_id, _state in found} == {
        job_id for job_id, state in all_states.items() if state in expected
    }
    assert [state for _id, state in found] == sorted(state for _id, state in found)


def test_states_are_counted_joined_and_aliased(
    session: Session, all_states: dict[uuid.UUID, State]
) -> None:
    other = aliased(Job)
    counted = select(Job.state, func.count()).group_by(Job.state)
    joined = (
        select(Job.seq, Attempt.outcome).join(Attempt, Attempt.seq == Job.seq).order_by(Job.seq)
    )
    renamed = select(other.seq).where(other.state == "failed")

    counts = {state: count for state, count in session.execute(counted)}  # noqa: C416 - rows are no pairs
    assert counts == dict.fromkeys(all_states.values(), 1)
    assert session.execute(joined).all() == [(2, "failed"), (3, "cancelled")]
    assert session.scalars(renamed).all() == [2]
    assert session.scalar(select(func.count()).where(Job.attempt == 1)) == 4


def test_job_has_all_that_is_known_of_it(
    session: Session, all_states: dict[uuid.UUID, State]
) -> None:
    jobs = {job.state: job for job in session.scalars(select(Job))}

    done, failed, ready = jobs[State.SUCCEEDED], jobs[State.FAILED], jobs[State.READY]
    assert (done.payload, done.result, done.progress_note) == (b"payload", b"12", "")
    assert (failed.failures, failed.error_text, failed.worker) == (1, "no", None)
    assert (ready.attempt, ready.finished_at, ready.begun) == (0, None, 0)
    assert jobs[State.SCHEDULED].due_at == jobs[State.SCHEDULED].created_at + 60_000


def test_values_are_not_read_before_they_are_asked_for(
    session: Session, all_states: dict[uuid.UUID, State]
) -> None:
    job = session.scalars(select(Job).limit(1)).one()

    assert {"payload", "result"} == {"payload", "result"} & inspect(job).unloaded


def test_jobs_are_not_written_with_ordinary_sqlalchemy(store: Store) -> None:
    submitted(store)

    with Session(create_engine(database_url(store), poolclass=NullPool)) as session:
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
        ("UPDATE ready SET failures = -1", "negative counter"),
        ("UPDATE ready SET crashes = 1", "more often than"),
        ("UPDATE outcome SET failures = 1", "more often than"),
        ("INSERT INTO scheduled (seq) SELECT seq FROM ready", "scheduled for no time"),
        ("UPDATE outcome SET state = 'succeeded'", "without a result"),
        ("UPDATE outcome SET state = 'failed'", "tally"),
        ("DELETE FROM outcome", "in no state"),
        ("DELETE FROM job", "rows of ready belong to no job"),
        ("INSERT INTO blocked (seq) SELECT seq FROM ready", "blocked and something else"),
        ("UPDATE ready SET queue = 'other'", "rows of ready belong to no job"),
    ],
)
def test_check_finds_damage(store: Store, damage: str, sign: str) -> None:
    store.cancel([submitted(store)])
    submitted(store)
    execute(store, damage)

    assert any(sign in problem for problem in store.check())


def test_check_finds_attempts_of_no_job(store: Store) -> None:
    worker = registered(store)
    submitted(store)
    store.ack(worker, [(claim_one(store, worker), Retried(ERROR, 1.0))])
    execute(store, "DELETE FROM job")
    execute(store, "DELETE FROM scheduled")

    assert store.check() == ["1 ended attempts belong to no job"]


# Waking and closing.


def test_own_commit_is_a_change(store: Store) -> None:
    seen = store.changes()

    submitted(store)

    assert store.changes() != seen


def is_once_left_alone(store: Store, act: Callable[[], object]) -> bool:
    """Whether an act that is no change ever finds none: MariaDB counts what others of its server do, too."""
    for _ in range(100):
        seen = store.changes()
        act()
        if store.changes() == seen:
            return True
    return False


def test_claim_of_nothing_is_no_change(store: Store) -> None:
    worker = registered(store)

    assert is_once_left_alone(store, lambda: store.claim(worker, lanes=LANES, limit=1))


def test_wait_ends_when_its_time_is_up(store: Store) -> None:
    assert any(store.wait_for_change(seen, 0.0) == seen for seen in asked(store, times=100))


def asked(store: Store, *, times: int) -> Iterator[int]:
    return (store.changes() for _ in range(times))


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
