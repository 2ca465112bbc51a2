"""Conformance: what is done to all jobs that match a filter, batch by batch."""

import uuid

import pytest

from lightwork.lifecycle import Failed, Retried, Succeeded
from lightwork.model import State
from lightwork.store.contract import Store
from lightwork.store.views import JobFilter
from store.steps import (
    ERROR,
    claim_one,
    execute,
    new_job,
    registered,
    state_of,
    submitted,
    view_of,
)

FAILED = JobFilter(state=State.FAILED)


def failed(store: Store, count: int) -> list[uuid.UUID]:
    ids, worker = [submitted(store) for _ in range(count)], registered(store)
    store.ack(worker, [(claim_one(store, worker), Failed(ERROR)) for _ in ids])
    return ids


def age(store: Store, job_id: uuid.UUID, seconds: int) -> None:
    where = "WHERE seq = (SELECT seq FROM job WHERE id = :id)"
    values = {"id": job_id.bytes, "age": seconds * 1000}
    execute(store, f"UPDATE outcome SET finished_at = finished_at - :age {where}", values)


def test_what_failed_is_made_ready_batch_by_batch_newest_first(store: Store) -> None:
    ids = failed(store, 5)

    first = store.retry_where(FAILED, limit=3)
    second = store.retry_where(FAILED, limit=3, before_seq=first[-1].seq)
    third = store.retry_where(FAILED, limit=3, before_seq=second[-1].seq)

    assert [job.id for job in first + second] == list(reversed(ids))
    assert {job.state for job in first + second} == {State.READY}
    assert third == []
    assert set(store.states(ids).values()) == {State.READY}
    assert store.summary().states[State.FAILED] == 0
    assert store.check() == []


def test_jobs_of_another_state_are_left_alone(store: Store) -> None:
    ready, (bad,) = submitted(store, priority=-1), failed(store, 1)

    found = store.retry_where(JobFilter(state=State.CANCELLED))

    assert found == []
    assert store.states([ready, bad]) == {ready: State.READY, bad: State.FAILED}


def test_a_filter_chooses_task_and_queue(store: Store) -> None:
    jobs = [
        new_job(),
        new_job(queue="mail"),
        new_job(task="mail:send", queue="mail"),
        new_job(task="mail:send@/home/ada/mail.py", queue="mail"),
    ]
    store.submit(jobs)

    of_task = store.cancel_where(JobFilter(state=State.READY, task="mail:send"))
    of_queue = store.cancel_where(JobFilter(state=State.READY, queue="mail"))

    assert {job.id for job in of_task} == {jobs[2].id, jobs[3].id}
    assert [job.id for job in of_queue] == [jobs[1].id]
    assert state_of(store, jobs[0].id) == State.READY


def test_a_filter_chooses_what_ended_lately(store: Store) -> None:
    old, new = failed(store, 2)
    age(store, old, 7200)

    found = store.retry_where(JobFilter(state=State.FAILED, since=3600))

    assert [job.id for job in found] == [new]
    assert state_of(store, old) == State.FAILED
    assert [view.id for view in store.jobs(since=3600)] == [new]


def test_what_waits_in_any_state_is_cancelled(store: Store) -> None:
    later, worker = submitted(store), registered(store)
    store.ack(worker, [(claim_one(store, worker), Retried(ERROR, 3600.0))])
    ready = submitted(store)

    found = [store.cancel_where(JobFilter(state=state)) for state in (State.SCHEDULED, State.READY)]

    assert [[job.id for job in jobs] for jobs in found] == [[later], [ready]]
    assert set(store.states([later, ready]).values()) == {State.CANCELLED}
    assert store.check() == []


@pytest.mark.parametrize(("running", "is_asked"), [("no", False), ("ask", True), ("kill", True)])
def test_what_runs_is_asked_to_stop(store: Store, running: str, is_asked: bool) -> None:
    job_id, worker = submitted(store), registered(store)
    claim_one(store, worker)

    (found,) = store.cancel_where(
        JobFilter(state=State.RUNNING),
        running=running,  # type: ignore[arg-type] # one of the words
    )

    assert (found.id, found.state) == (job_id, State.RUNNING)
    assert view_of(store, job_id).cancel_requested == is_asked


def test_what_has_succeeded_is_neither_run_again_nor_cancelled(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    store.ack(worker, [(claim_one(store, worker), Succeeded(b""))])
    done = JobFilter(state=State.SUCCEEDED)

    found = store.retry_where(done) + store.cancel_where(done)

    assert {(job.id, job.state) for job in found} == {(job_id, State.SUCCEEDED)}
    assert state_of(store, job_id) == State.SUCCEEDED
