"""Connections that die, transactions that lose, and callers that may not wait."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, NullPool, create_engine, make_url, text

from lightwork.durable.ids import new_job_id
from lightwork.errors import StoreError, StoreUnavailable
from lightwork.lifecycle import Succeeded
from lightwork.model import State
from lightwork.store.sqlstore import SqlStore
from store.proxy import Proxy, is_commit, proxy
from store.servers import execute, server
from store.steps import LANES, new_job, registered, state_of, submitted
from waiting import wait_until


def end_backends(url: str) -> None:
    """End every connection to the database, as an administrator or a restart does."""
    name = make_url(url).database
    execute(
        server("postgresql"),
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )


def backends(url: str) -> int:
    """Return how many connections to the database there are."""
    ask = text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name")
    with create_engine(server("postgresql"), poolclass=NullPool).connect() as connection:
        return int(connection.execute(ask, {"name": make_url(url).database}).scalar_one())


@contextmanager
def table_locked(url: str, name: str = "job") -> Iterator[Connection]:
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"))
        yield connection


@pytest.fixture
def between(url: str) -> Iterator[Proxy]:
    with proxy(url) as made:
        yield made


def test_dead_connections_cost_no_call(store: SqlStore, url: str) -> None:
    job_id = submitted(store)
    end_backends(url)

    other = submitted(store)
    end_backends(url)

    assert store.states([job_id, other]) == {job_id: State.READY, other: State.READY}


def test_a_claim_is_not_sent_on_a_dead_connection(store: SqlStore, url: str) -> None:
    """Nobody could say whether it took place, and it is not to be done twice."""
    worker = registered(store)
    job_id = submitted(store)
    store.lanes(["default"])
    end_backends(url)
    wait_until(lambda: not backends(url), "they have ended")

    (attempt,) = store.claim(worker, lanes=LANES, limit=1)

    assert (attempt.job_id, attempt.number) == (job_id, 1)


def test_a_connection_that_dies_in_the_middle_of_a_write_costs_nothing(
    store: SqlStore, url: str
) -> None:
    job = new_job()
    tries: list[int] = []

    def write(connection: Connection) -> None:
        store.submit_on(connection, [job])
        tries.append(1)
        if len(tries) == 1:
            end_backends(url)
            connection.execute(text("SELECT 1"))

    store.database.write(write)

    assert len(tries) == 2
    assert state_of(store, job.id) == State.READY


def test_a_lost_commit_says_that_it_may_have_taken_place(url: str, between: Proxy) -> None:
    job = new_job(tags=("more than one statement",))
    with SqlStore(between.url) as store:
        between.loses_answer_to = is_commit

        with pytest.raises(StoreUnavailable, match="submit again with the same ids"):
            store.submit([job])

        between.loses_answer_to = lambda _sent: False
        assert store.submit([job]) == [False]
        assert state_of(store, job.id) == State.READY


def is_submit(sent: bytes) -> bool:
    # The name of its task: the text of the statement may have been sent before.
    return b"jobs:work" in sent


def test_a_plain_job_whose_answer_is_lost_is_sent_again_and_kept_once(
    url: str, between: Proxy
) -> None:
    jobs = [new_job(), new_job()]
    lost: list[bool] = []

    def is_first(sent: bytes) -> bool:
        if is_submit(sent):
            lost.append(True)
        return is_submit(sent) and len(lost) == 1

    with SqlStore(between.url) as store:
        between.loses_answer_to = is_first
        store.submit(jobs)

        assert len(lost) == 2
        assert store.submit(jobs) == [False, False]
        assert store.summary().states[State.READY] == 2


def test_a_batch_that_is_sent_ahead_and_whose_answer_is_lost_is_kept_once(
    url: str, between: Proxy
) -> None:
    jobs = [replace(new_job(), id=new_job_id()) for _ in range(3)]
    lost: list[bool] = []

    def is_first(sent: bytes) -> bool:
        if is_submit(sent):
            lost.append(True)
        return is_submit(sent) and len(lost) == 1

    with SqlStore(between.url) as store:
        submitted(store)
        between.loses_answer_to = is_first
        written = store.submit_nowait(jobs)
        assert written.running()
        written.result()

        assert len(lost) == 2
        assert store.submit(jobs) == [False] * 3
        assert store.summary().states[State.READY] == 4


def test_a_plain_job_whose_answers_are_all_lost_says_that_it_may_be_kept(
    url: str, between: Proxy
) -> None:
    job = new_job()
    with SqlStore(between.url) as store:
        between.loses_answer_to = is_submit

        with pytest.raises(StoreUnavailable, match="submit again with the same ids"):
            store.submit([job])

        between.loses_answer_to = lambda _sent: False
        assert store.submit([job]) == [False]
        assert state_of(store, job.id) == State.READY


def test_a_plain_job_whose_answer_is_lost_before_the_server_is_gone_may_be_kept(
    url: str, between: Proxy
) -> None:
    with SqlStore(between.url) as store:

        def is_submit_to_the_last(sent: bytes) -> bool:
            if is_submit(sent):
                between.refuse()
            return is_submit(sent)

        between.loses_answer_to = is_submit_to_the_last

        with pytest.raises(StoreUnavailable, match="submit again with the same ids"):
            store.submit([new_job()])


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_a_transaction_that_lost_against_another_runs_again(store: SqlStore, code: str) -> None:
    job = new_job()
    tries: list[int] = []

    def write(connection: Connection) -> list[bool]:
        tries.append(1)
        inserted = store.submit_on(connection, [job])
        if len(tries) < 3:
            connection.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$"))
        return inserted

    assert (store.database.write(write), len(tries)) == ([True], 3)


def test_transactions_that_lock_in_opposite_order_both_end(store: SqlStore) -> None:
    """A deadlock that the server finds, and ends one side of."""
    workers = [new_job(), new_job()]
    store.submit(workers)
    meet = threading.Barrier(2, timeout=30)
    met: list[bool] = []

    def lock(first: int, second: int) -> Callable[[Connection], None]:
        def write(connection: Connection) -> None:
            for place in (first, second):
                connection.execute(
                    text("UPDATE job SET policy = policy WHERE id = :id"),
                    {"id": workers[place].id.bytes},
                )
                if len(met) < 2:
                    met.append(True)
                    meet.wait()

        return write

    other = threading.Thread(target=store.database.write, args=[lock(1, 0)])
    other.start()
    store.database.write(lock(0, 1))
    other.join(30)

    assert not other.is_alive()


def test_an_event_loop_stands_still_for_a_second_at_most(store: SqlStore, url: str) -> None:
    async def submit() -> None:
        submitted(store)

    with table_locked(url):
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="submit_async"):
            asyncio.run(submit())
        took = time.monotonic() - began

    assert 0.9 < took < 10
    assert store.summary().states[State.READY] == 0


def test_a_plain_job_that_an_event_loop_gave_up_does_not_appear_later(
    store: SqlStore, url: str
) -> None:
    async def submit() -> None:
        submitted(store)

    with table_locked(url), pytest.raises(StoreUnavailable):
        asyncio.run(submit())
    # Whoever waited for the lock before has had it then.
    with table_locked(url):
        pass

    assert store.summary().states[State.READY] == 0


def test_whoever_waits_when_the_store_is_told_to_hurry_goes_on(store: SqlStore, url: str) -> None:
    failed: list[Exception] = []

    def submit() -> None:
        try:
            submitted(store)
        except StoreUnavailable as error:
            failed.append(error)

    with table_locked(url) as holder:
        thread = threading.Thread(target=submit)
        thread.start()
        waits = text(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'job'::regclass"
        )
        wait_until(lambda: holder.scalar(waits), "the submit to wait for the lock")

        store.hurry()
        thread.join(30)

        with pytest.raises(StoreUnavailable, match="no answer for 1 s"):
            submitted(store)
    assert len(failed) == 1


def test_a_server_that_is_silent_holds_up_nobody_in_a_hurry(url: str, between: Proxy) -> None:
    with SqlStore(between.url) as store:
        store.wait_for_change(-1, 0.0)
        store.hurry()
        between.is_silent = True

        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            submitted(store)

    assert time.monotonic() - began < 10


def test_more_threads_than_connections_wait_for_their_turn(store: SqlStore) -> None:
    threads = [threading.Thread(target=submitted, args=[store]) for _ in range(60)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert store.summary().states[State.READY] == 60


def test_a_closed_store_says_so(store: SqlStore) -> None:
    store.close()

    calls: list[Callable[[], Any]] = [
        store.summary,
        store.changes,
        lambda: store.submit([new_job()]),
        lambda: store.submit_nowait([new_job()]),
        lambda: store.wait_for_change(0, 1.0),
    ]
    for call in calls:
        with pytest.raises(StoreError, match="was closed"):
            call()


def test_what_was_posted_is_written_before_a_store_is_closed(url: str) -> None:
    jobs = [new_job() for _ in range(20)]
    store = SqlStore(url)
    futures = [store.submit_nowait([job]) for job in jobs]

    store.close()

    assert [future.result(0) for future in futures] == [[True]] * 20


def test_who_reads_while_a_store_is_closed_leaves_no_connection_open(url: str) -> None:
    store = SqlStore(url)
    reads, go_on = threading.Event(), threading.Event()
    drivers: list[Any] = []

    def read(connection: Connection) -> None:
        drivers.append(connection.connection.dbapi_connection)
        reads.set()
        assert go_on.wait(60)

    thread = threading.Thread(target=store.database.read, args=(read,))
    thread.start()
    assert reads.wait(60)
    store.close()
    go_on.set()
    thread.join()

    assert drivers[0].closed


@pytest.mark.parametrize("level", ["serializable", "repeatable read"])
def test_what_isolation_a_database_has_by_default_does_not_matter(url: str, level: str) -> None:
    """Statements that are their own transactions cannot name theirs, and would lose to others."""
    name = make_url(url).database
    execute(url, f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")

    def isolation(connection: Connection) -> Any:
        return connection.exec_driver_sql("SHOW transaction_isolation").scalar()

    with SqlStore(url) as store:
        seen = {
            store.database.look(isolation),
            store.database.write(isolation),
            store.database.write(isolation, is_alone=True, is_once=True),
        }
        worker = registered(store)
        job_id = submitted(store)
        (attempt,) = store.claim(worker, lanes=LANES, limit=1)
        store.ack(worker, [(attempt, Succeeded(b""))])

        assert seen == {"read committed"}
        assert state_of(store, job_id) == State.SUCCEEDED
