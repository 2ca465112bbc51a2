"""What every store promises, on every database: submit and claim."""

import threading
import uuid

import pytest
from sqlalchemy import NullPool, create_engine

from lightwork.model import Backoff, NewJob, Policy, State
from lightwork.store.contract import Store
from net.served import database_url
from store.steps import (
    LANES,
    claim_one,
    end_lease,
    execute,
    new_job,
    registered,
    state_of,
    submitted,
)

# Submit.


def test_submitted_job_is_ready(store: Store) -> None:
    job = new_job()

    inserted = store.submit([job])

    assert (inserted, state_of(store, job.id)) == ([True], State.READY)


def test_delayed_job_is_scheduled(store: Store) -> None:
    job_id = submitted(store, delay=60)

    assert state_of(store, job_id) == State.SCHEDULED


def test_second_submit_of_an_id_changes_nothing(store: Store) -> None:
    job = new_job(payload=b"first")
    store.submit([job])

    inserted = store.submit([NewJob(id=job.id, task="other:task", payload=b"second")])

    attempt = claim_one(store, registered(store))
    assert (inserted, attempt.payload, attempt.task) == ([False], b"first", "jobs:work")


def test_batch_says_which_of_its_jobs_are_new(store: Store) -> None:
    known, new = new_job(), [new_job() for _ in range(3)]
    store.submit([known])

    inserted = store.submit([new[0], known, new[1], new[2]])

    assert inserted == [True, False, True, True]


def test_new_jobs_of_a_batch_are_ready_wherever_known_ones_stand(store: Store) -> None:
    known = [new_job() for _ in range(3)]
    store.submit(known)
    new = [new_job() for _ in range(4)]

    store.submit([new[0], known[0], new[1], known[1], known[2], new[2], new[3]])

    assert store.states(job.id for job in new) == {job.id: State.READY for job in new}
    assert store.check() == []


def test_id_given_twice_in_a_batch_is_new_once(store: Store) -> None:
    job = new_job()

    inserted = store.submit([job, new_job(), job])

    assert inserted == [True, True, False]


def test_submit_of_nothing_does_nothing(store: Store) -> None:
    assert store.submit([]) == []


def test_large_batch_keeps_every_job(store: Store) -> None:
    jobs = [new_job() for _ in range(2500)]

    store.submit(jobs)

    assert len(store.states(job.id for job in jobs)) == 2500


@pytest.mark.database
def test_job_submitted_in_a_foreign_transaction_exists_once_that_commits(store: Store) -> None:
    job, known = new_job(), new_job()
    store.submit([known])

    with create_engine(database_url(store), poolclass=NullPool).begin() as connection:
        inserted = store.submit_on(connection, [job, known])

    assert (inserted, state_of(store, job.id)) == ([True, False], State.READY)


@pytest.mark.database
def test_job_submitted_in_a_foreign_transaction_is_gone_when_that_rolls_back(store: Store) -> None:
    job = new_job()

    with create_engine(database_url(store), poolclass=NullPool).connect() as connection:
        store.submit_on(connection, [job])
        connection.rollback()

    assert store.states([job.id]) == {}


# Claim.


def test_claim_hands_out_what_was_submitted(store: Store) -> None:
    policy = Policy(
        queue="mail",
        priority=3,
        retries=2,
        backoff=Backoff(base=5),
        retry_on=("OSError",),
        timeout=1.5,
        max_memory=1 << 30,
        max_crashes=5,
        idempotent=False,
    )
    job = NewJob(id=uuid.uuid4(), task="mail:send", payload=b"\0\xff", policy=policy)
    store.submit([job])

    (attempt,) = store.claim(registered(store), lanes=store.lanes(["mail"]), limit=5)

    assert (attempt.job_id, attempt.task, attempt.payload, attempt.policy, attempt.number) == (
        job.id,
        job.task,
        job.payload,
        job.policy,
        1,
    )


def test_claim_takes_the_highest_priority_first_then_the_oldest(store: Store) -> None:
    low, first, second = (submitted(store, priority=p) for p in (-1, 5, 5))

    claimed = store.claim(registered(store), lanes=LANES, limit=3)

    assert [attempt.job_id for attempt in claimed] == [first, second, low]


def test_claim_takes_no_more_than_its_limit(store: Store) -> None:
    store.submit([new_job(queue=queue) for queue in ("a", "a", "b", "b")])

    claimed = store.claim(registered(store), lanes=store.lanes(["a", "b"]), limit=3)

    assert [attempt.policy.queue for attempt in claimed] == ["a", "a", "b"]


def test_claim_leaves_other_queues_alone(store: Store) -> None:
    submitted(store, queue="other")

    assert store.claim(registered(store), lanes=LANES, limit=1) == []


def test_claim_skips_scheduled_jobs(store: Store) -> None:
    submitted(store, delay=60)

    assert store.claim(registered(store), lanes=LANES, limit=1) == []


def test_claimed_job_is_not_claimed_again(store: Store) -> None:
    submitted(store)
    worker = registered(store)
    claim_one(store, worker)

    assert store.claim(worker, lanes=LANES, limit=1) == []


def test_worker_whose_lease_ran_out_claims_nothing(store: Store) -> None:
    submitted(store)
    worker = registered(store)
    end_lease(store, worker)

    assert store.claim(worker, lanes=LANES, limit=1) == []


def test_unknown_worker_claims_nothing(store: Store) -> None:
    submitted(store)

    assert store.claim(uuid.uuid4(), lanes=LANES, limit=1) == []


@pytest.mark.parametrize(
    "damage",
    ["policy = '{'", 'policy = \'{"retries": "many"}\'', "policy = '[]'"],
)
def test_corrupt_job_fails_and_the_rest_is_claimed(store: Store, damage: str) -> None:
    bad, good = submitted(store), submitted(store)
    execute(store, f"UPDATE job SET {damage} WHERE id = :id", {"id": bad.bytes})

    claimed = store.claim(registered(store), lanes=LANES, limit=2)

    error = store.outcomes([bad])[bad].error
    assert [attempt.job_id for attempt in claimed] == [good]
    assert error is not None
    assert error.type == "CorruptRow"


def test_threads_that_submit_at_once_each_have_their_own_answer(store: Store) -> None:
    known = new_job()
    store.submit([known])
    groups = [[new_job() for _ in range(1 + number % 3)] for number in range(40)]
    asked = [*groups, [known], [known, new_job()]]
    got: dict[int, list[bool]] = {}

    def submit(number: int) -> None:
        got[number] = store.submit(asked[number])

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [got[number] for number in range(40)] == [[True] * len(group) for group in groups]
    assert (got[40], got[41]) == ([False], [False, True])
    ids = {job.id for group in asked for job in group}
    assert store.states(ids) == dict.fromkeys(ids, State.READY)
