"""News from other programs: a number of the server's is the truth, a sleep that is ended makes it quick."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event

from lightwork.store.contracts.news import News
from lightwork.store.mariadb import hints
from lightwork.store.mariadb.hints import HEARD_PAUSE, MariaHints
from lightwork.store.server.watch import LONGEST_PAUSE, SHORTEST_PAUSE, Watch
from lightwork.store.sqlstore import SqlStore
from store.servers import execute, server
from store.steps import registered
from waiting import wait_until


@pytest.fixture
def other(url: str, store: SqlStore) -> Iterator[SqlStore]:
    """The same database, as another program has it open."""
    with SqlStore(url) as opened:
        yield opened


def hints_of(store: SqlStore) -> MariaHints:
    found = store.database._hints  # type: ignore[attr-defined]
    assert isinstance(found, MariaHints)
    return found


def watch_of(store: SqlStore) -> Watch:
    found = store.database._watch  # type: ignore[attr-defined]
    assert isinstance(found, Watch)
    return found


def listening(store: SqlStore) -> None:
    """Begin to listen; return when it sleeps."""
    store.wait_for_change(-1, 0.0)
    wait_until(hints_of(store).are_heard, "to listen")
    wait_until(lambda: number_of(store) in sleepers(store), "to sleep")


def number_of(store: SqlStore) -> int:
    found = hints_of(store)._listener.driver.thread_id()
    assert isinstance(found, int)
    return found


def sleepers(store: SqlStore) -> list[int]:
    def read(connection: Connection) -> list[int]:
        return [number or 0 for _, number in connection.exec_driver_sql(hints._SLEEPERS)]

    return store.database.look(read)


def test_whoever_has_committed_wakes_the_sleepers_of_other_programs(
    store: SqlStore, other: SqlStore
) -> None:
    listening(store)
    told = watch_of(store)._told_of(News.ALL)

    # Its store tells ours without the server, as one of the same program.
    hints_of(other).send(News.ALL)

    wait_until(lambda: watch_of(store)._told_of(News.ALL) > told, "a word from another program")


def test_sessions_are_listed_whole_however_short_texts_must_be(
    store: SqlStore, other: SqlStore
) -> None:
    listening(store)
    listening(other)

    def read(connection: Connection) -> set[int]:
        connection.exec_driver_sql("SET SESSION group_concat_max_len = 4")
        return {number for _, number in connection.exec_driver_sql(hints._SLEEPERS)}

    assert store.database.look(read) >= {number_of(store), number_of(other)}


def test_our_own_word_does_not_wake_us(store: SqlStore, other: SqlStore) -> None:
    listening(store)
    listening(other)
    told, told_other = watch_of(store)._told_of(News.ALL), watch_of(other)._told_of(News.ALL)

    hints_of(store).send(News.ALL)
    wait_until(lambda: watch_of(other)._told_of(News.ALL) > told_other, "the word to arrive")

    assert watch_of(store)._told_of(News.ALL) == told


def test_who_wakes_ends_nothing_but_sleeps(store: SqlStore, other: SqlStore) -> None:
    listening(store)
    told = watch_of(store)._told_of(News.ALL)

    def sleep_otherwise(connection: Connection) -> object:
        hints_of(other).send(News.ALL)
        return connection.exec_driver_sql("SELECT SLEEP(0.2)").scalar()

    assert other.database.look(sleep_otherwise) == 0
    wait_until(lambda: watch_of(store)._told_of(News.ALL) > told, "the word to arrive")


def test_a_sleeper_whose_connection_is_ended_sleeps_again(store: SqlStore) -> None:
    listening(store)
    lost = hints_of(store)._listener.driver

    execute(server("mariadb"), f"KILL CONNECTION {number_of(store)}")

    wait_until(lambda: hints_of(store)._listener.driver not in {None, lost}, "to sleep again")


def test_who_loses_its_connection_amid_the_sleepers_wakes_them_all_the_same(
    store: SqlStore, other: SqlStore
) -> None:
    listening(store)
    told = watch_of(store)._told_of(News.ALL)
    lost: list[Connection] = []

    def lose(connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("KILL QUERY") and not lost:
            lost.append(connection)
            driver: Any = connection.connection.driver_connection
            driver._sock.shutdown(socket.SHUT_RDWR)

    database: Any = other.database
    event.listen(database._transactions.engines.asking, "before_cursor_execute", lose)
    hints_of(other)._send(News.ALL)

    assert lost
    wait_until(lambda: watch_of(store)._told_of(News.ALL) > told, "the word to arrive")


def test_behind_a_proxy_that_numbers_sessions_itself_nobody_sleeps_and_nobody_is_woken(
    store: SqlStore, other: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening(store)
    told = watch_of(store)._told_of(News.ALL)
    monkeypatch.setattr(hints, "_SLEEPERS", hints._SLEEPERS.replace("_ID()", "_ID() + 1"))

    hints_of(other).send(News.ALL)
    wait_until(lambda: hints_of(other)._is_behind_proxy, "to find out")
    other.wait_for_change(-1, 0.0)

    assert not hints_of(other).are_heard()
    assert hints_of(other).pause(3600.0) == LONGEST_PAUSE
    assert watch_of(store)._told_of(News.ALL) == told


def test_a_word_that_came_while_all_were_awake_is_looked_for_soon(store: SqlStore) -> None:
    listening(store)
    heard = hints_of(store)

    pauses = [heard.pause(idle) for idle in (0.0, 0.02, 0.1, 3600.0)]

    assert pauses == [SHORTEST_PAUSE, 0.02, 0.1, HEARD_PAUSE]


def test_a_heartbeat_makes_nobody_look_more_often(store: SqlStore) -> None:
    worker = registered(store)
    listening(store)
    store.changes()
    changed_at = watch_of(store)._changed_at

    seen = store.changes()
    store.renew(worker, lease=60.0)

    assert store.changes() != seen
    assert watch_of(store)._changed_at == changed_at


def test_what_is_asked_outside_of_transactions_is_one_message(store: SqlStore) -> None:
    def rollbacks(connection: Connection) -> object:
        return connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Com_rollback'").one()[1]

    before = store.database.look(rollbacks)
    for _ in range(3):
        store.changes()

    assert store.database.look(rollbacks) == before
