"""Jobs submitted in a transaction of the user's own exist if and only if it commits."""

import asyncio
import concurrent.futures
import gc
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from lightwork.durable.executor import DurableExecutor
from lightwork.durable.future import DurableFuture
from lightwork.errors import JobCancelled, UsageError
from lightwork.model import State
from transaction.notes import Row, double, texts
from waiting import wait_until


def durable(future: Any) -> DurableFuture[Any]:
    assert isinstance(future, DurableFuture)
    return future


def ids(*futures: Any) -> list[uuid.UUID]:
    return [durable(future).job_id for future in futures]


def test_a_job_exists_once_its_session_has_committed(
    executor: DurableExecutor, engine: Engine
) -> None:
    with Session(engine) as session:
        session.add(Row(id=1, text="order"))
        future = executor.using(session).submit(double, 2)
        before = executor.store.states(ids(future))
        session.commit()

    assert before == {}
    assert executor.store.states(ids(future)) == dict.fromkeys(ids(future), State.READY)
    assert texts(engine) == ["order"]


def test_a_job_is_gone_and_its_future_cancelled_when_the_session_rolls_back(
    executor: DurableExecutor, engine: Engine
) -> None:
    told: list[Any] = []
    with Session(engine) as session:
        session.add(Row(id=1, text="order"))
        future = executor.using(session).submit(double, 2)
        future.add_done_callback(told.append)
        session.rollback()

    assert future.cancelled()
    assert told == [future]
    with pytest.raises(JobCancelled, match="rolled back"):
        future.result()
    assert executor.store.states(ids(future)) == {}


def test_a_job_of_a_connection_exists_once_it_has_committed(
    executor: DurableExecutor, engine: Engine
) -> None:
    with engine.begin() as connection:
        future = executor.using(connection).submit(double, 2)

    assert list(executor.store.states(ids(future)).values()) == [State.READY]


def test_a_connection_that_is_closed_without_a_commit_cancels(
    executor: DurableExecutor, engine: Engine
) -> None:
    with engine.connect() as connection:
        future = executor.using(connection).submit(double, 2)

    assert future.cancelled()
    assert executor.store.states(ids(future)) == {}


def test_a_session_that_nobody_ends_cancels_when_it_is_collected(
    executor: DurableExecutor, engine: Engine
) -> None:
    session = Session(engine)
    future = executor.using(session).submit(double, 2)

    del session

    def is_cancelled() -> bool:
        gc.collect()
        return future.cancelled()

    wait_until(is_cancelled, "the end of the future")


def test_a_job_of_a_savepoint_that_is_rolled_back_never_was(
    executor: DurableExecutor, engine: Engine
) -> None:
    with Session(engine) as session:
        using = executor.using(session)
        kept = using.submit(double, 1)
        outer = session.begin_nested()
        gone = using.submit(double, 2)
        with session.begin_nested():
            gone_too = using.submit(double, 3)
        outer.rollback()
        cancelled_before = gone.cancelled(), gone_too.cancelled(), kept.cancelled()
        with session.begin_nested():
            kept_too = using.submit(double, 4)
        session.commit()

    assert cancelled_before == (True, True, False)
    assert executor.store.states(ids(kept, gone, gone_too, kept_too)).keys() == set(
        ids(kept, kept_too)
    )


def test_a_session_inside_of_a_transaction_of_others_decides_nothing(
    executor: DurableExecutor, engine: Engine
) -> None:
    with engine.connect() as connection, connection.begin() as outer:
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            future = executor.using(session).submit(double, 1)
            session.commit()
        with pytest.raises(UsageError, match="still open"):
            future.result(0)
        outer.rollback()

    assert future.cancelled()


@pytest.mark.parametrize("word", ["COMMIT", "ROLLBACK"])
def test_a_transaction_that_a_text_ends_decides_what_the_future_says(
    executor: DurableExecutor, engine: Engine, word: str
) -> None:
    with Session(engine) as session:
        future = executor.using(session).submit(double, 2)
        session.execute(text(word))
        # Of what is over; the job of a COMMIT is there, and may run.
        session.rollback()

    kept = list(executor.store.states(ids(future)).values())
    if word == "COMMIT":
        assert (future.cancelled(), kept) == (False, [State.READY])
        assert future.cancel()
    else:
        assert kept == []
        wait_until(future.cancelled, "the end of the future")


def test_a_table_that_is_made_in_the_transaction_commits_it_on_mariadb(mariadb_url: str) -> None:
    made = create_engine(mariadb_url)
    with DurableExecutor(mariadb_url) as executor, Session(made) as session:
        future = executor.using(session).submit(double, 2)
        session.execute(text("CREATE TABLE of_user (id INTEGER)"))
        session.rollback()

        assert not future.cancelled()
        assert list(executor.store.states(ids(future)).values()) == [State.READY]
        session.execute(text("DROP TABLE of_user"))
    made.dispose()


WAITS: dict[str, Callable[[Any], object]] = {
    "result": lambda future: future.result(),
    "exception": lambda future: future.exception(),
    "wait": lambda future: concurrent.futures.wait([future]),
    "as_completed": lambda future: list(concurrent.futures.as_completed([future])),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_waiting_before_the_commit_is_an_error(
    executor: DurableExecutor, engine: Engine, wait: Callable[[Any], object]
) -> None:
    with Session(engine) as session:
        future = executor.using(session).submit(double, 2)

        with pytest.raises(UsageError, match="commit first"):
            wait(future)

        assert not future.cancel()
        assert not future.done()


def test_awaiting_before_the_commit_is_an_error(executor: DurableExecutor, engine: Engine) -> None:
    async def main(future: Any) -> None:
        with pytest.raises(UsageError, match="commit first"):
            await future
        assert not await future.cancel_async()

    with Session(engine) as session:
        asyncio.run(main(executor.using(session).submit(double, 2)))


@pytest.mark.parametrize("ordered", [True, False])
def test_results_of_a_map_cannot_be_read_before_the_commit(
    executor: DurableExecutor, engine: Engine, ordered: bool
) -> None:
    with Session(engine) as session:
        results = executor.using(session).map(double, range(3), ordered=ordered)

        with pytest.raises(UsageError, match="commit first"):
            next(results)


@pytest.mark.process
def test_outcomes_come_after_the_commit(url: str, engine: Engine) -> None:
    with DurableExecutor(url, workers="threads:2") as executor:
        with Session(engine) as session:
            using = executor.using(session)
            one = using.submit(double, 2)
            many = using.submit_many(double, [(1,), (3,)])
            mapped = using.map(double, range(3))
            session.commit()

        assert one.result(60) == 4
        assert [future.result(60) for future in many] == [2, 6]
        assert list(mapped) == [0, 2, 4]


@pytest.mark.process
def test_a_callback_hears_of_the_outcome_although_nobody_waits(url: str, engine: Engine) -> None:
    heard = threading.Event()
    with DurableExecutor(url, workers="threads:1") as executor, engine.connect() as connection:
        executor.using(connection).submit(double, 2).add_done_callback(lambda _: heard.set())
        connection.commit()

        assert heard.wait(60)


def test_one_object_serves_one_transaction_after_the_other(
    executor: DurableExecutor, engine: Engine
) -> None:
    with Session(engine) as session:
        using = executor.using(session)
        gone = using.submit(double, 1)
        session.rollback()
        kept = using.submit(double, 2)
        session.commit()
        last = using.submit(double, 3)

        assert gone.cancelled()
        assert executor.store.states(ids(gone, kept, last)).keys() == set(ids(kept))


def test_an_id_makes_a_repeated_submit_harmless(executor: DurableExecutor, engine: Engine) -> None:
    job_id = uuid.uuid4()
    with Session(engine) as session:
        first = executor.using(session).submit(double.options(job_id=job_id), 2)
        again = executor.using(session).submit(double.options(job_id=str(job_id)), 2)
        session.commit()
    with Session(engine) as session:
        later = executor.using(session).submit(double.options(job_id=job_id), 2)
        session.rollback()
    plain = executor.submit(double.options(job_id=job_id), 2)

    assert ids(first, again, later, plain) == [job_id] * 4
    assert not any(one.cancelled() for one in (first, again, later, plain))
    assert len(executor.store.jobs()) == 1


def test_an_id_that_is_known_as_that_of_another_call_is_refused(
    executor: DurableExecutor, engine: Engine
) -> None:
    job_id = uuid.uuid4()
    executor.submit(double.options(job_id=job_id), 2)

    with Session(engine) as session:
        with pytest.raises(UsageError, match=r"is .*:double\(n=2\), and .*:double\(n=3\) was"):
            executor.using(session).submit(double.options(job_id=job_id), 3)
        executor.using(session).submit(double, 4)
        session.commit()

    assert len(executor.store.jobs()) == 2


def test_an_id_that_is_rolled_back_is_free_again(executor: DurableExecutor, engine: Engine) -> None:
    job_id = uuid.uuid4()
    with Session(engine) as session:
        gone = [executor.using(session).submit(double.options(job_id=job_id), 2) for _ in range(2)]
        session.rollback()

    kept = executor.submit(double.options(job_id=job_id), 2)

    assert [one.cancelled() for one in gone] == [True, True]
    assert executor.store.states(ids(kept)) == {job_id: State.READY}


def test_a_map_with_a_key_is_kept_once(executor: DurableExecutor, engine: Engine) -> None:
    for _ in range(2):
        with Session(engine) as session:
            executor.using(session).map(double, range(3), key="import")
            session.commit()

    assert len(executor.store.jobs()) == 3


def test_a_commit_that_fails_cancels(executor: DurableExecutor, engine: Engine) -> None:
    with engine.connect() as connection:
        future = executor.using(connection).submit(double, 2)
        undo = _commits_badly(connection)
        with pytest.raises(RuntimeError):
            connection.commit()
        undo()
        connection.rollback()

    wait_until(future.cancelled, "the end of the future")
    assert executor.store.states(ids(future)) == {}


def _commits_badly(connection: Connection) -> Callable[[], None]:
    dialect: Any = connection.engine.dialect

    def do_commit(_connection: object) -> None:
        raise RuntimeError("no commit")

    dialect.do_commit = do_commit
    return lambda: delattr(dialect, "do_commit")


def test_another_database_is_refused(executor: DurableExecutor, url: str, tmp_path: Any) -> None:
    other = create_engine(f"sqlite:///{tmp_path}/other.db")
    with Session(other) as session, pytest.raises(UsageError, match=r"one database") as raised:
        executor.using(session).submit(double, 2)
    other.dispose()

    assert "other.db" in str(raised.value)
    assert executor.store.jobs() == []


def test_a_connection_that_commits_by_itself_is_refused(
    executor: DurableExecutor, url: str
) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection, pytest.raises(UsageError, match="AUTOCOMMIT"):
        executor.using(connection).submit(double, 2)
    engine.dispose()


def test_tables_that_are_renamed_are_refused(executor: DurableExecutor, engine: Engine) -> None:
    options = {"schema_translate_map": {None: "tenant"}}
    with (
        engine.connect().execution_options(**options) as connection,
        pytest.raises(UsageError, match="schema_translate_map"),
    ):
        executor.using(connection).submit(double, 2)


def test_what_has_no_transaction_is_refused(executor: DurableExecutor, engine: Engine) -> None:
    with pytest.raises(UsageError, match="seen: an object of Engine"):
        executor.using(engine)  # type: ignore[call-overload]


def test_a_scoped_session_is_the_session_of_its_thread(
    executor: DurableExecutor, engine: Engine
) -> None:
    scoped = scoped_session(sessionmaker(engine))
    future = executor.using(scoped).submit(double, 2)
    scoped.commit()
    scoped.remove()

    assert list(executor.store.states(ids(future)).values()) == [State.READY]


def test_a_session_of_two_databases_must_say_which(
    executor: DurableExecutor, engine: Engine
) -> None:
    with Session(binds={Row: engine}) as session:
        with pytest.raises(UsageError, match="bind_arguments"):
            executor.using(session).submit(double, 2)
        connection = session.connection(bind_arguments={"mapper": Row})
        future = executor.using(connection).submit(double, 2)
        session.commit()

    assert list(executor.store.states(ids(future)).values()) == [State.READY]


def test_an_executor_that_was_shut_down_spoils_no_commit(url: str, engine: Engine) -> None:
    with Session(engine) as session:
        with DurableExecutor(url) as closed:
            future = closed.using(session).submit(double, 2)
        session.add(Row(id=1, text="order"))
        session.commit()
        with pytest.raises(RuntimeError):
            closed.using(session).submit(double, 3)

    assert texts(engine) == ["order"]
    assert not future.done()


def test_two_executors_may_share_a_transaction(
    executor: DurableExecutor, url: str, engine: Engine
) -> None:
    with DurableExecutor(url) as other, Session(engine) as session:
        futures = [one.using(session).submit(double, 2) for one in (executor, other)]
        session.rollback()
        assert all(future.cancelled() for future in futures)
        session.execute(text("SELECT 1"))
