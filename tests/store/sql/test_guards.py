"""A change that finds a job other than it was read is refused and undone, lock or no lock."""

import pytest
from sqlalchemy.sql.dml import UpdateBase

from lightwork.errors import StoreError
from lightwork.model import State
from lightwork.store.contract import Store
from lightwork.store.sql import jobs, upkeep
from lightwork.store.sql.moves import Move
from lightwork.store.sqlstore import SqlStore
from store.steps import state_of, submitted


def change(store: Store, statement: UpdateBase | Move, numbers: tuple[int, int]) -> None:
    assert isinstance(store, SqlStore)
    error = {"b_error_type": None, "b_error_text": None}
    keys = [
        {"b_seq": seq, "b_number": number, "b_state": "failed", **error}
        for seq, number in enumerate(numbers, 1)
    ]
    store._write(store._spelling.change_each, statement, keys)


@pytest.mark.parametrize(
    "statement",
    [jobs.CANCEL[State.READY], jobs.RESUBMIT[State.FAILED], upkeep.DELETE_OUTCOME],
    ids=["cancel", "retry", "prune"],
)
def test_a_job_of_another_state_or_attempt_refuses_the_whole_change(
    store: Store, statement: UpdateBase | Move
) -> None:
    ready = [submitted(store), submitted(store)]

    # The second is at another attempt than was read; for retry and prune both are not over.
    with pytest.raises(StoreError, match="2 jobs were locked"):
        change(store, statement, (0, 7))

    assert [state_of(store, job_id) for job_id in ready] == [State.READY, State.READY]


def test_a_change_of_what_was_read_is_made(store: Store) -> None:
    waiting = [submitted(store), submitted(store)]

    change(store, jobs.CANCEL[State.READY], (0, 0))

    assert [state_of(store, job_id) for job_id in waiting] == [State.CANCELLED] * 2
