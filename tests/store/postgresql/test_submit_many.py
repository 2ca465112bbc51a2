"""Many jobs in one call: while the server keeps some, the calls of the next are taken."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text

from lightwork.durable.executor import DurableExecutor
from lightwork.durable.jobs import BATCH
from lightwork.model import State
from lightwork.tasks.task import task
from waiting import wait_until


@task
def take(number: int) -> None: ...


@pytest.fixture
def executor(url: str) -> Iterator[DurableExecutor]:
    with DurableExecutor(url) as opened:
        yield opened


_WAITING = text("SELECT count(*) FROM pg_locks WHERE relation = 'job'::regclass AND NOT granted")


def wait_until_it_is_kept(locker: Connection) -> None:
    """Return when the server has been told to keep the batch, and let it."""
    wait_until(lambda: locker.scalar(_WAITING), "a batch is being kept")
    locker.rollback()


@pytest.fixture
def locker(url: str, executor: DurableExecutor) -> Iterator[Connection]:
    """Somebody who keeps all others from new jobs, until it is told to roll back."""
    assert executor.store.jobs() == []
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("LOCK TABLE job IN EXCLUSIVE MODE"))
        yield connection


def test_calls_are_taken_while_the_batch_before_them_is_kept(
    executor: DurableExecutor, locker: Connection
) -> None:
    def calls() -> Iterator[tuple[int]]:
        for number in range(2 * BATCH + 1):
            if number == 2 * BATCH - 1:
                wait_until_it_is_kept(locker)
            yield (number,)

    futures = executor.submit_many(take, calls())

    assert len({future.job_id for future in futures}) == 2 * BATCH + 1
    assert executor.store.summary().states[State.READY] == 2 * BATCH + 1


@pytest.mark.parametrize("error", [OSError("the file ends here"), KeyboardInterrupt()])
def test_what_was_being_kept_when_the_calls_failed_is_cancelled(
    executor: DurableExecutor, locker: Connection, error: BaseException
) -> None:
    def calls() -> Iterator[tuple[int]]:
        for number in range(BATCH + 10):
            yield (number,)
        wait_until_it_is_kept(locker)
        raise error

    with pytest.raises(type(error)):
        executor.submit_many(take, calls())

    def states() -> tuple[int, int]:
        found = executor.store.summary().states
        return found[State.READY], found[State.CANCELLED]

    wait_until(lambda: states() == (0, BATCH), "it is cancelled")
    assert executor._watch.waiting() == []


def test_with_a_key_what_was_being_kept_when_the_calls_failed_stays(
    executor: DurableExecutor, locker: Connection
) -> None:
    def calls() -> Iterator[tuple[int]]:
        for number in range(BATCH + 10):
            yield (number,)
        wait_until_it_is_kept(locker)
        raise OSError("the file ends here")

    with pytest.raises(OSError, match="ends here"):
        executor.submit_many(take, calls(), key="import")

    assert executor.store.summary().states[State.READY] == BATCH


def test_a_batch_that_is_refused_fails_the_call(executor: DurableExecutor, url: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE job ADD CHECK (seq <= 1000)"))

    with pytest.raises(Exception, match="job_seq_check"):
        executor.submit_many(take, ((number,) for number in range(2 * BATCH + 1)))

    states = executor.store.summary().states
    assert (states[State.READY], states[State.CANCELLED]) == (0, BATCH)
    assert executor._watch.waiting() == []
