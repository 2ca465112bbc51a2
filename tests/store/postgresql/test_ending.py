"""The end of a lone job is one message, unless something can begin for it."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection

from lightwork.lifecycle import Succeeded
from lightwork.model import NewJob, State
from lightwork.store.postgresql import ending
from lightwork.store.sqlstore import SqlStore
from store.servers import execute
from store.steps import LANES, claim_one, new_job, registered, state_of, submitted
from waiting import wait_until

DONE = Succeeded(b"done")


def child_of(parent: NewJob) -> NewJob:
    plain = new_job()
    return NewJob(id=plain.id, task=plain.task, payload=b"", after=(parent.id,))


@pytest.fixture
def transactions(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> list[Callable[..., Any]]:
    """What was done in a transaction from here on."""
    done: list[Callable[..., Any]] = []
    database: Any = store.database
    write = database._transactions.write

    def note(work: Callable[..., Any], *args: Any, **options: Any) -> Any:
        done.append(work)
        return write(work, *args, **options)

    monkeypatch.setattr(database._transactions, "write", note)
    return done


def test_the_end_of_a_lone_job_takes_no_transaction_around_it(
    store: SqlStore, transactions: list[Callable[..., Any]]
) -> None:
    worker, job_id = registered(store), submitted(store)
    attempt = claim_one(store, worker)
    transactions.clear()

    assert store.ack(worker, [(attempt, DONE)]) == []

    assert transactions == []
    assert store.outcomes([job_id])[job_id].result == b"done"
    assert store.check() == []


def test_a_late_end_is_refused_by_one_message_too(store: SqlStore) -> None:
    worker = registered(store)
    submitted(store)
    attempt = claim_one(store, worker)
    store.ack(worker, [(attempt, DONE)])

    assert store.ack(worker, [(attempt, DONE)]) == [attempt]
    assert store.check() == []


def test_a_child_hears_of_the_end_of_its_parent(store: SqlStore) -> None:
    worker, parent = registered(store), new_job()
    store.submit([parent])
    attempt = claim_one(store, worker)
    child = child_of(parent)
    store.submit([child])

    store.ack(worker, [(attempt, DONE)])

    assert state_of(store, child.id) is State.READY
    assert store.check() == []


@pytest.fixture(params=["read committed", "repeatable read", "serializable"])
def acking(request: pytest.FixtureRequest, url: str) -> Iterator[SqlStore]:
    """The store, as a worker has it open whose database has this isolation for who asks for none."""
    name = url.rpartition("/")[2]
    execute(url, f"ALTER DATABASE {name} SET default_transaction_isolation = '{request.param}'")
    try:
        with SqlStore(url) as opened:
            yield opened
    finally:
        execute(url, f"ALTER DATABASE {name} RESET default_transaction_isolation")


def test_a_child_whose_submit_was_waited_for_hears_of_the_end(
    store: SqlStore, acking: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, parent = registered(store), new_job()
    store.submit([parent])
    attempt = claim_one(store, worker)
    child = child_of(parent)
    thread = threading.Thread(target=lambda: acking.ack(worker, [(attempt, DONE)]))
    database: Any = store.database
    write = database._transactions.write

    def submit_slowly(work: Callable[[Connection], Any], *args: Any, **options: Any) -> Any:
        def slowly(connection: Connection) -> Any:
            result = work(connection)
            thread.start()
            wait_until(lambda: is_one_held_up(store), "the ack to wait")
            return result

        return write(slowly, *args, **options)

    monkeypatch.setattr(database._transactions, "write", submit_slowly)
    store.submit([child])
    thread.join()

    assert state_of(store, child.id) is State.READY
    assert store.check() == []


def is_one_held_up(store: SqlStore) -> bool:
    database: Any = store.database
    return bool(
        database._transactions.ask(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
    )


def test_what_the_server_says_against_it_is_tried_again_in_a_transaction(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, job_id = registered(store), submitted(store)
    (attempt,) = store.claim(worker, lanes=LANES, limit=1)
    monkeypatch.setattr(ending, "_succeed_alone", lambda _dialect: ("SELECT 1; SELECT 1 / 0", {}))

    assert store.ack(worker, [(attempt, DONE)]) == []

    assert state_of(store, job_id) is State.SUCCEEDED


def test_the_word_of_an_end_goes_with_it_on_a_quiet_system(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, job_id = registered(store), submitted(store)
    attempt = claim_one(store, worker)
    database: Any = store.database
    sent: list[str] = []
    monkeypatch.setattr(database._hints, "word", lambda _news: f"NOTIFY lightwork, '{'x' * 20}'")
    monkeypatch.setattr(database._hints, "send", lambda *_, **__: sent.append("apart"))

    with psycopg.connect(plain_url(database), autocommit=True) as listening:
        listening.execute("LISTEN lightwork")
        assert store.ack(worker, [(attempt, DONE)]) == []
        (word,) = listening.notifies(timeout=10, stop_after=1)

    assert (word.payload, sent) == ("x" * 20, [])
    assert state_of(store, job_id) is State.SUCCEEDED


def test_an_end_whose_word_is_refused_is_recorded(
    store: SqlStore, transactions: list[Callable[..., Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, job_id = registered(store), submitted(store)
    attempt = claim_one(store, worker)
    transactions.clear()
    database: Any = store.database
    monkeypatch.setattr(database._hints, "word", lambda _news: "BEGIN; SELECT 1 / 0; COMMIT")

    assert store.ack(worker, [(attempt, DONE)]) == []

    assert transactions == []
    assert state_of(store, job_id) is State.SUCCEEDED
    assert store.check() == []


def plain_url(database: Any) -> str:
    return str(database.url).replace("+psycopg", "")
