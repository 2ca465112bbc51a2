"""Many jobs that move by one statement: each is guarded, and gets its own result."""

import uuid

import pytest

from lightwork.lifecycle import Released, Retried, Succeeded
from lightwork.model import State
from lightwork.store.sqlite.batches import moving
from lightwork.store.sqlite.batches.moving import FEW
from lightwork.store.sqlstore import SqlStore
from store.steps import ERROR, LANES, execute, new_job, registered

MANY = 3 * FEW
RESULTS = [bytes([number]) * (number % 5) for number in range(MANY)]


@pytest.fixture
def jobs(store: SqlStore) -> list[uuid.UUID]:
    new = [new_job() for _ in range(MANY)]
    store.submit(new)
    return [job.id for job in new]


@pytest.fixture
def worker(store: SqlStore) -> uuid.UUID:
    return registered(store)


def test_each_keeps_its_own_result(
    store: SqlStore, jobs: list[uuid.UUID], worker: uuid.UUID
) -> None:
    claimed = store.claim(worker, lanes=LANES, limit=MANY)

    refused = store.ack(
        worker, [(one, Succeeded(result)) for one, result in zip(claimed, RESULTS, strict=True)]
    )

    assert refused == []
    found = store.outcomes(jobs)
    assert [found[job].result for job in jobs] == RESULTS


def test_what_is_too_much_for_one_statement_becomes_several(
    store: SqlStore, jobs: list[uuid.UUID], worker: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "_MOST_BYTES", max(map(len, RESULTS)))

    test_each_keeps_its_own_result(store, jobs, worker)


def test_one_that_is_refused_leaves_the_others_alone(
    store: SqlStore, jobs: list[uuid.UUID], worker: uuid.UUID
) -> None:
    claimed = store.claim(worker, lanes=LANES, limit=MANY)
    late = claimed[5]
    execute(store, "UPDATE running SET attempt = 7 WHERE seq = :seq", {"seq": late.seq})

    refused = store.ack(worker, [(one, Succeeded(b"done")) for one in claimed])

    assert refused == [late]
    states = store.states(jobs)
    assert [job for job in jobs if states[job] is not State.SUCCEEDED] == [late.job_id]


def test_those_of_another_attempt_go_with_their_like(
    store: SqlStore, jobs: list[uuid.UUID], worker: uuid.UUID
) -> None:
    first = store.claim(worker, lanes=LANES, limit=MANY)
    store.ack(worker, [(one, Released()) for one in first[: MANY // 2]])

    again = store.claim(worker, lanes=LANES, limit=MANY)

    both = [*first[MANY // 2 :], *again]
    assert {one.number for one in both} == {1, 2}
    assert store.ack(worker, [(one, Succeeded(b"done")) for one in both]) == []
    assert set(store.states(jobs).values()) == {State.SUCCEEDED}


def test_those_that_fail_each_by_itself_do(
    store: SqlStore, jobs: list[uuid.UUID], worker: uuid.UUID
) -> None:
    claimed = store.claim(worker, lanes=LANES, limit=MANY)

    refused = store.ack(worker, [(one, Retried(ERROR, one.seq)) for one in claimed])

    assert refused == []
    assert set(store.states(jobs).values()) == {State.SCHEDULED}
