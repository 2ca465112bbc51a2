"""Many rows go to PostgreSQL as arrays, in one statement; see server/together.py."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection

from lightwork.lifecycle import Succeeded
from lightwork.model import Limit, State
from lightwork.store.postgresql import spelling
from lightwork.store.postgresql.packed import Blobs, Integers, Numbers, Packed, Texts
from lightwork.store.postgresql.sent import Sent
from lightwork.store.sqlstore import SqlStore
from store.steps import LANES, new_job, registered, state_of, submitted

COLUMNS = {
    "bigint": Integers([0, -1, 2**63 - 1, -(2**63), None]),
    "float8": Numbers([0.0, -1.5, 1e300, None]),
    "bytea": Blobs([b"", b"\0\xff\\", b"x" * 100_000, None]),
    "text": Texts(["", "größe ☃ \\ \" ' {}", "NULL", None]),
}

# How word to others begins; it may also go behind what it is word of.
WORD = "BEGIN; SET LOCAL synchronous_commit"


@pytest.mark.parametrize(("kind", "column"), COLUMNS.items(), ids=COLUMNS)
def test_an_array_arrives_as_it_was_packed(store: SqlStore, kind: str, column: Packed) -> None:
    def ask(connection: Connection) -> list[Any]:
        query = f"SELECT unnest(CAST(%(sent)s AS {kind}[]))"
        return list(connection.exec_driver_sql(query, {"sent": column}).scalars())

    arrived = store.database.read(ask)

    assert arrived == column.values


def test_jobs_of_many_megabytes_go_in_several_statements(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spelling, "_MOST_BYTES", 1000)
    jobs = [new_job(payload=bytes([number]) * 400) for number in range(9)]

    kept = store.submit(jobs)

    claimed = store.claim(registered(store), lanes=LANES, limit=9)
    assert kept == [True] * 9
    assert [attempt.payload for attempt in claimed] == [job.payload for job in jobs]


def test_a_batch_is_acked_in_as_many_statements_as_a_pair(store: SqlStore) -> None:
    assert len(acking(store, 200)) == len(acking(store, 2))


def test_the_end_of_one_job_is_one_message(store: SqlStore) -> None:
    sent = acking(store, 1)

    assert [one.split()[0] for one in sent] == ["BEGIN"]
    assert store.summary().states[State.SUCCEEDED] == 1


def test_an_end_of_one_job_that_is_refused_counts_nothing(store: SqlStore) -> None:
    worker = registered(store)
    submitted(store)
    (attempt,) = store.claim(worker, lanes=LANES, limit=1)

    late = replace(attempt, number=attempt.number + 1)

    assert store.ack(worker, [(late, Succeeded(b""))]) == [late]
    assert store.summary().states[State.SUCCEEDED] == 0
    assert store.ack(worker, [(attempt, Succeeded(b""))]) == []
    assert store.ack(worker, [(attempt, Succeeded(b""))]) == [attempt]
    assert store.summary().states[State.SUCCEEDED] == 1


def test_a_name_that_is_too_long_is_refused_and_not_cut_off(store: SqlStore) -> None:
    with pytest.raises(Exception, match="too long"):
        store.submit([new_job(task="x" * 501), new_job()])


def test_what_is_moved_by_one_statement_is_known_to_be_a_change(store: SqlStore) -> None:
    job_id = submitted(store)

    store.cancel([job_id])

    assert state_of(store, job_id) is State.CANCELLED


@pytest.mark.parametrize("count", [1, 1000])
def test_plain_jobs_are_kept_by_one_statement(store: SqlStore, count: int) -> None:
    jobs = [new_job() for _ in range(count)]
    submitted(store)

    assert len(sent_while(lambda: store.submit(jobs))) == 1


@pytest.mark.parametrize("count", [1, 1000])
def test_plain_jobs_are_claimed_by_one_statement(store: SqlStore, count: int) -> None:
    worker = registered(store)
    store.submit([new_job() for _ in range(count)])

    sent = sent_while(lambda: store.claim(worker, lanes=LANES, limit=1, ahead=count - 1))

    assert len(sent) == 1


def test_a_claim_that_takes_more_than_a_statement_is_not_tried_so_each_time(
    store: SqlStore,
) -> None:
    worker = registered(store)
    limits = (Limit("key", running=3),)
    store.submit([replace(new_job(), limits=limits) for _ in range(3)])

    def is_tried() -> bool:
        sent = sent_while(lambda: store.claim(worker, lanes=LANES, limit=1))
        return any("WITH next" in one for one in sent)

    assert [is_tried(), is_tried()] == [True, False]
    store._short_way._closed_until.clear()
    assert is_tried()


def test_a_claim_ends_before_the_first_that_may_not_wait(store: SqlStore) -> None:
    worker = registered(store)
    jobs = [new_job(idempotent=number != 2) for number in range(4)]
    store.submit(jobs)

    first = store.claim(worker, lanes=LANES, limit=1, ahead=3)
    second = store.claim(worker, lanes=LANES, limit=1, ahead=3)

    assert [one.job_id for one in first] == [job.id for job in jobs[:2]]
    assert [one.job_id for one in second] == [job.id for job in jobs[2:]]


def test_plain_jobs_of_which_some_are_known_are_told_apart(store: SqlStore) -> None:
    jobs = [new_job() for _ in range(3)]
    store.submit(jobs[1:2])

    assert store.submit(jobs) == [True, False, True]
    assert store.submit([jobs[0], jobs[0]]) == [False, False]
    assert store.summary().states[State.READY] == 3


def acking(store: SqlStore, size: int) -> list[str]:
    """Return the statements that record the ends of so many jobs."""
    worker = registered(store)
    store.submit([new_job() for _ in range(size)])
    ends = [(one, Succeeded(b"")) for one in store.claim(worker, lanes=LANES, limit=size)]
    return sent_while(lambda: store.ack(worker, ends))


def sent_while(act: Callable[[], object]) -> list[str]:
    """Return what the driver is given in this thread, but for word to others."""
    statements: list[str] = []
    execute, ours = psycopg.Cursor.execute, threading.get_ident()

    def note(cursor: Any, query: Any, *rest: Any, **options: Any) -> Any:
        if threading.get_ident() == ours and not str(query).startswith(WORD):
            statements.append(str(query))
        return execute(cursor, query, *rest, **options)

    def note_sent(sent: Sent, driver: Any) -> None:
        if threading.get_ident() == ours:
            statements.append("one that is prepared, or sent ahead")
        make(sent, driver)

    make = Sent.__init__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", note)
        patch.setattr(Sent, "__init__", note_sent)
        act()
    return statements
