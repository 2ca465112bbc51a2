"""What is sent ahead of its answer, and what is prepared: kept once whatever becomes of either."""

import uuid
from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text

from lightwork.durable.ids import new_job_id
from lightwork.model import NewJob, State
from lightwork.store.postgresql.sent import numbered
from lightwork.store.sqlstore import SqlStore
from store.steps import new_job, scalar, submitted
from waiting import wait_until

_PREPARED = "SELECT count(*) FROM pg_prepared_statements"


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    """One that has a connection at hand, on which a batch can be sent ahead."""
    with SqlStore(url) as opened:
        submitted(opened)
        yield opened


@pytest.fixture
def locker(store: SqlStore) -> Iterator[Connection]:
    """Somebody who keeps all others from new jobs, until it is told to roll back."""
    engine = create_engine(store.url, poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("LOCK TABLE job IN EXCLUSIVE MODE"))
        yield connection


def fresh_jobs(count: int) -> list[NewJob]:
    """Return jobs of ids as executors make them."""
    return [NewJob(id=new_job_id(), task="jobs:work", payload=b"payload") for _ in range(count)]


def in_order(store: SqlStore) -> Sequence[uuid.UUID]:
    engine = create_engine(store.url, poolclass=NullPool)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT id FROM job JOIN ready USING (seq) ORDER BY seq"))
        return [uuid.UUID(bytes=bytes(row.id)) for row in rows]


def ask(store: SqlStore, statement: str) -> object:
    """Ask on the connection that the next statement will be executed on."""
    return store.database.look(lambda connection: connection.exec_driver_sql(statement).scalar())


def test_a_batch_is_sent_before_anybody_waits_for_it(store: SqlStore, locker: Connection) -> None:
    written = store.submit_nowait(fresh_jobs(3))

    assert written.running()
    locker.rollback()
    assert written.result() == [True] * 3


def test_jobs_that_are_sent_ahead_keep_their_order(store: SqlStore) -> None:
    first, second = fresh_jobs(500), fresh_jobs(500)

    for batch in first, second:
        store.submit_nowait(batch).result()

    assert in_order(store)[1:] == [job.id for job in first + second]


def test_a_batch_with_known_ids_keeps_the_others(store: SqlStore) -> None:
    known, new = fresh_jobs(2), fresh_jobs(2)
    store.submit(known)

    flags = store.submit_nowait([known[0], new[0], known[1], new[1]]).result()

    assert flags == [False, True, False, True]
    assert store.summary().states[State.READY] == 5


def test_a_batch_whose_connection_is_lost_is_kept_once(store: SqlStore, locker: Connection) -> None:
    jobs = fresh_jobs(3)
    written = store.submit_nowait(jobs)
    waiting = (
        "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO job%'"
    )
    wait_until(lambda: scalar(store, f"SELECT count(*) {waiting}") == 1, "it is held up")

    scalar(store, f"SELECT pg_terminate_backend(pid) {waiting}")
    locker.rollback()

    assert written.result() == [True] * 3
    assert in_order(store)[1:] == [job.id for job in jobs]


def test_a_batch_for_a_connection_that_is_dead_already_is_kept_once(store: SqlStore) -> None:
    scalar(
        store,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    jobs = fresh_jobs(3)

    assert store.submit_nowait(jobs).result() == [True] * 3
    assert in_order(store)[1:] == [job.id for job in jobs]


def test_what_was_sent_ahead_is_kept_by_the_end_of_close(
    store: SqlStore, locker: Connection
) -> None:
    written = store.submit_nowait(fresh_jobs(3))
    locker.rollback()

    store.close()

    assert written.result() == [True] * 3


def test_a_statement_for_one_job_is_prepared_once(store: SqlStore) -> None:
    for _ in range(3):
        submitted(store)

    assert ask(store, _PREPARED) == 1


def test_a_prepared_statement_that_is_lost_keeps_its_job_all_the_same(store: SqlStore) -> None:
    store.database.look(lambda connection: connection.exec_driver_sql("DEALLOCATE ALL").close())

    job = new_job()

    assert store.submit([job]) == [True]
    assert store.submit([job]) == [False]
    assert ask(store, _PREPARED) == 0


def test_a_prepared_statement_knows_ids_that_are_known(store: SqlStore) -> None:
    job = new_job()

    assert [store.submit([job]) for _ in range(3)] == [[True], [False], [False]]


def test_parameters_are_numbered_by_their_first_place() -> None:
    found = numbered("SELECT %(b)s::INTEGER, %(a)s, %(b)s")

    assert found == (b"SELECT $1::INTEGER, $2, $1", ["b", "a"])
