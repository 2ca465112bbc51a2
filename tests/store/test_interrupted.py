"""A Ctrl-C at any step of a call leaves nothing taken that other threads of the program need."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from interrupts import interrupted_at
from lightwork.store.sqlstore import SqlStore
from store.steps import new_job, submitted

# What a Ctrl-C ends in a generator of SQLAlchemy's the interpreter tells.
pytestmark = [
    pytest.mark.process,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
# What stands in Python, conditions and semaphores of the standard library included.
WITHIN = ("lightwork/store/", "threading.py")


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database_store(request: pytest.FixtureRequest) -> SqlStore:
    return SqlStore(str(request.getfixturevalue(f"{request.param}_url")))


@pytest.mark.parametrize("what", ["look", "submit", "cancel", "wait"])
def test_an_interrupt_anywhere_stops_no_other_thread(database_store: SqlStore, what: str) -> None:
    job_id, step = submitted(database_store), 0
    acts: dict[str, Callable[[], object]] = {
        "look": lambda: database_store.states([job_id]),
        "submit": lambda: database_store.submit([new_job()]),
        "cancel": lambda: database_store.cancel([job_id]),
        "wait": lambda: database_store.wait_for_change(-1, 0.01),
    }

    def work_on() -> None:
        seen = database_store.changes()
        database_store.submit([new_job()])
        assert job_id in database_store.states([job_id])
        database_store.wait_for_change(seen, 0.01)

    with database_store, ThreadPoolExecutor(1) as others:
        while interrupted_at(step := step + 1, acts[what], within=WITHIN):
            others.submit(work_on).result(60)
    assert step > 5
