"""News from other programs: a number is the truth, NOTIFY makes it quick."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import NullPool, create_engine, make_url, text

from lightwork.clock import monotonic
from lightwork.lifecycle import Succeeded
from lightwork.store.postgresql import hints
from lightwork.store.postgresql.hints import PostgresHints
from lightwork.store.server.watch import Watch
from lightwork.store.sqlstore import SqlStore
from store.servers import execute, server
from store.steps import claim_one, new_job, registered, submitted
from waiting import wait_until


@pytest.fixture
def other(url: str, store: SqlStore) -> Iterator[SqlStore]:
    """The same database, as another program has it open."""
    with SqlStore(url) as opened:
        yield opened


def hints_of(store: SqlStore) -> PostgresHints:
    found = store.database._hints  # type: ignore[attr-defined]
    assert isinstance(found, PostgresHints)
    return found


def watch_of(store: SqlStore) -> Watch:
    found = store.database._watch  # type: ignore[attr-defined]
    assert isinstance(found, Watch)
    return found


@contextmanager
def waiting(store: SqlStore) -> Iterator[list[int]]:
    """A thread that waits for one change, for as long as it takes."""
    seen, news = store.changes(), []

    def wait() -> None:
        while (number := store.wait_for_change(seen, 10.0)) == seen:
            pass
        news.append(number)

    thread = threading.Thread(target=wait)
    thread.start()
    yield news
    thread.join(30)
    assert not thread.is_alive()
    assert news != [seen]


def test_a_commit_of_another_program_wakes_who_waits(store: SqlStore, other: SqlStore) -> None:
    with waiting(store):
        submitted(other)


def test_a_commit_in_a_foreign_transaction_is_noticed(store: SqlStore, url: str) -> None:
    with waiting(store), create_engine(url, poolclass=NullPool).begin() as connection:
        store.submit_on(connection, [new_job()])


def test_commits_are_noticed_in_whatever_order_they_come(store: SqlStore, url: str) -> None:
    """The one that began first commits last: no number of the newest transaction would tell."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            connection.execute(text("UPDATE tally SET jobs = 0"))
            connection.scalar(text("SELECT pg_current_xact_id()::text"))
        seen = [store.changes()]
        second.commit()
        seen.append(store.changes())
        first.commit()
        seen.append(store.changes())

    assert len(set(seen)) == 3


def test_stores_of_one_program_tell_one_another_without_the_server(
    store: SqlStore, other: SqlStore
) -> None:
    told = watch_of(other)._told

    submitted(store)

    assert watch_of(other)._told == told + 1


def test_who_has_committed_in_a_transaction_of_their_own_wakes_others(
    store: SqlStore, other: SqlStore
) -> None:
    told = watch_of(other)._told

    store.note_commit()

    assert watch_of(other)._told == told + 1


def test_a_store_that_was_closed_has_no_commit_to_tell_of(url: str) -> None:
    closed = SqlStore(url)
    closed.close()

    closed.note_commit()


def test_a_claim_and_a_renewal_wake_nobody(store: SqlStore) -> None:
    worker = registered(store)
    submitted(store)
    told = watch_of(store)._told

    attempt = claim_one(store, worker)
    store.ack(worker, [], begun=[attempt])
    store.renew(worker, lease=60.0)
    quiet = watch_of(store)._told
    store.ack(worker, [(attempt, Succeeded(b""))])

    assert (quiet, watch_of(store)._told) == (told, told + 1)


def test_the_echo_of_our_own_word_wakes_nobody(store: SqlStore) -> None:
    store.wait_for_change(-1, 0.0)
    wait_until(hints_of(store).are_heard, "to listen")
    wait_until(lambda: not hints_of(store)._missing_since, "the first echo")
    told = watch_of(store)._told

    submitted(store)
    wait_until(lambda: not hints_of(store)._is_due, "to be sent")
    wait_until(lambda: not hints_of(store)._missing_since, "the echo")

    assert watch_of(store)._told == told + 1


def test_a_few_words_in_a_row_wait_for_nothing(store: SqlStore) -> None:
    heard = hints_of(store)
    heard._credited_at = at = monotonic() - 3600

    credit = [heard._credit_at(at + 3600)]
    heard._credit -= 4
    credit += [heard._credit_at(at + 3600), heard._credit_at(at + 3600.02)]

    assert credit == pytest.approx([4.0, 0.0, 2.0])


def test_a_listener_that_hears_nothing_finds_out_though_nobody_commits(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "PROBE", 0.1)
    store.wait_for_change(-1, 0.0)
    wait_until(hints_of(store).are_heard, "to listen")
    wait_until(lambda: not hints_of(store)._missing_since, "the first echo")

    monkeypatch.setattr(hints, "_NOTIFY", "SELECT 1")

    wait_until(lambda: not hints_of(store).are_heard(), "to know that nothing is heard")


def test_what_is_sent_comes_back(store: SqlStore) -> None:
    store.wait_for_change(-1, 0.0)
    heard = hints_of(store)

    wait_until(heard.are_heard, "to listen")
    wait_until(lambda: not heard._missing_since, "the echo")


def test_a_listener_whose_connection_dies_listens_again(store: SqlStore, url: str) -> None:
    store.wait_for_change(-1, 0.0)
    wait_until(hints_of(store).are_heard, "to listen")
    lost = hints_of(store)._listener
    name = make_url(url).database

    execute(
        server("postgresql"),
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{name}' AND query LIKE 'LISTEN%'",
    )

    wait_until(lambda: hints_of(store)._listener not in {None, lost}, "to listen again")


def test_without_a_word_from_anybody_changes_are_found_all_the_same(
    store: SqlStore, other: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a pooler that gives the listener's connection to somebody else."""
    monkeypatch.setattr(hints, "_NOTIFY", "SELECT 1")

    with waiting(store):
        submitted(other)
    wait_until(lambda: not hints_of(store).are_heard(), "to know that nothing is heard")
    with waiting(store):
        submitted(other)
