"""A change that finds a job other than it was read is refused and undone, lock or no lock."""

import pytest
from sqlalchemy.sql.dml import UpdateBase

from lightwork.errors import StoreError
from lightwork.model import State
from lightwork.store import statements as sql
from lightwork.store.bulk import change_each
from lightwork.store.contract import Store
from lightwork.store.engine import sqlite_path, writing_engine
from store.steps import state_of, submitted


def keys(numbers: tuple[int, int]) -> list[dict[str, int]]:
    return [{"b_seq": seq, "b_number": number} for seq, number in enumerate(numbers, 1)]


@pytest.mark.parametrize(
    "statement",
    [sql.CANCEL_WAITING, sql.RESUBMIT, sql.DELETE_JOB],
    ids=["cancel", "retry", "prune"],
)
def test_a_job_of_another_state_or_attempt_refuses_the_whole_change(
    store: Store, statement: UpdateBase
) -> None:
    ready = [submitted(store), submitted(store)]
    engine = writing_engine(sqlite_path(store.url))

    # The second is at another attempt than was read; for retry and prune both are not over.
    with pytest.raises(StoreError, match="2 jobs were locked"), engine.begin() as connection:
        change_each(connection, statement, keys((0, 7)))

    assert [state_of(store, job_id) for job_id in ready] == [State.READY, State.READY]


def test_a_change_of_what_was_read_is_made(store: Store) -> None:
    waiting = [submitted(store), submitted(store)]
    engine = writing_engine(sqlite_path(store.url))

    with engine.begin() as connection:
        change_each(connection, sql.CANCEL_WAITING, keys((0, 0)))

    assert [state_of(store, job_id) for job_id in waiting] == [State.CANCELLED] * 2
