"""What waits for limits is found by index: how many rows are read does not grow with those that wait."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from lightwork.model import Limit, NewJob
from lightwork.store.operations.bounds import waiting
from lightwork.store.sqlstore import SqlStore
from store.steps import execute, new_job

# As many are ready of each lane of each key as can be, the others wait.
KEYS = ["a", "b", "c"]
LANES = 4
JOBS = 12_000
# Of the 768 that are ready two rows each, and some for each lane; not the thousands that wait.
MOST = 3000


@pytest.fixture
def crowded(store: SqlStore) -> SqlStore:
    """A store in which 12,000 jobs wait for three limits in four lanes."""
    for first in range(0, JOBS, 1000):
        store.submit([_job(number) for number in range(first, first + 1000)])
    analyze = "ANALYZE TABLE limit_use" if store.url.startswith("mariadb") else "ANALYZE"
    execute(store, analyze)
    return store


def _job(number: int) -> NewJob:
    job = new_job(task=f"jobs:{number % LANES}")
    limit = Limit(KEYS[number // LANES % len(KEYS)], running=100)
    return NewJob(id=job.id, task=job.task, payload=b"", policy=job.policy, limits=(limit,))


def rows_read(store: SqlStore, look: Callable[[Connection], object]) -> int:
    """Return how many rows, or entries of an index, the database reads for it."""

    def count(connection: Connection) -> int:
        match connection.dialect.name:
            case "sqlite":
                return _steps(connection, look)
            case "postgresql":
                before = _tuples(connection)
                look(connection)
                return _tuples(connection) - before
            case _:
                before = _handled(connection)
                look(connection)
                return _handled(connection) - before

    return store.database.write(count)


def _steps(connection: Connection, look: Callable[[Connection], object]) -> int:
    # About twenty steps of its machine for a row.
    driver: Any = connection.connection.driver_connection
    taken = []
    driver.set_progress_handler(lambda: taken.append(1), 20)
    try:
        look(connection)
    finally:
        driver.set_progress_handler(None, 0)
    return len(taken)


def _tuples(connection: Connection) -> int:
    text = "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
    return int(connection.exec_driver_sql(text).scalar() or 0)


def _handled(connection: Connection) -> int:
    rows = connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Handler_read%%'")
    return sum(int(value) for _name, value in rows)


@pytest.mark.parametrize("act", ["upkeep", "end"])
def test_jobs_that_wait_are_not_read_to_find_who_goes_next(crowded: SqlStore, act: str) -> None:
    spelling = crowded._spelling

    def look(connection: Connection) -> None:
        if act == "upkeep":
            assert waiting.next_room_in(connection, spelling) is None
        else:
            waiting.let_go(connection, spelling, KEYS)

    assert rows_read(crowded, look) < MOST


def test_submit_of_a_limited_job_reads_none_of_those_that_wait(crowded: SqlStore) -> None:
    def look(connection: Connection) -> None:
        waiting.count_ready(connection, KEYS[:1], [waiting.lane_number("default", "jobs:0")])

    assert rows_read(crowded, look) < MOST // 10


def test_jobs_that_are_let_go_are_read_alone(crowded: SqlStore) -> None:
    execute(crowded, "DELETE FROM limit_use WHERE stage = 0")
    spelling = crowded._spelling

    def look(connection: Connection) -> None:
        assert waiting.open_up(connection, spelling, 10) == 10

    assert rows_read(crowded, look) < MOST
