"""What a job writes and its outcome are committed together, or not at all."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.orm import Session

import lightwork as lw
from lightwork.durable.executor import DurableExecutor
from lightwork.errors import JobFailed, UsageError
from lightwork.model import State
from transaction import notes
from transaction.notes import count, texts

pytestmark = pytest.mark.process


@pytest.fixture
def running(url: str) -> Iterator[DurableExecutor]:
    """Its worker has one child."""
    with DurableExecutor(url, workers="processes:1") as executor:
        yield executor


def job_of(executor: DurableExecutor, future: Any) -> Any:
    view = executor.store.job(future.job_id)
    assert view is not None
    return view


@pytest.mark.parametrize("where", ["processes:1", "threads:1", "inline"])
def test_what_a_job_writes_is_there_when_it_has_succeeded(
    url: str, engine: Engine, where: str
) -> None:
    with DurableExecutor(url, workers=where) as executor:
        futures = [executor.submit(notes.add_note, number, f"n{number}") for number in (1, 2, 3)]

        assert [future.result(60) for future in futures] == [1, 2, 3]
        views = [job_of(executor, future) for future in futures]
        checked = executor.store.check()

    assert texts(engine) == ["n1", "n2", "n3"]
    assert [(view.state, view.attempt) for view in views] == [(State.SUCCEEDED, 1)] * 3
    assert checked == []


@pytest.mark.parametrize("where", ["processes:1", "threads:1"])
def test_nothing_of_an_attempt_that_fails_is_written(url: str, engine: Engine, where: str) -> None:
    with DurableExecutor(url, workers=where) as executor:
        future = executor.submit(notes.add_and_fail_first, 10)

        assert future.result(60) == 2
        view = job_of(executor, future)

    assert texts(engine) == ["attempt 2"]
    assert (view.state, view.attempt, view.failures) == (State.SUCCEEDED, 2, 1)


@pytest.mark.parametrize(
    ("task", "error"),
    [
        (notes.commit_and_fail, "ValueError"),
        (notes.break_a_rule, "IntegrityError"),
        (notes.return_what_cannot_be_kept, "PayloadError"),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_a_job_that_fails_late_writes_nothing_either(
    running: DurableExecutor, engine: Engine, task: Any, error: str
) -> None:
    future = running.submit(task)

    with pytest.raises(JobFailed) as raised:
        future.result(60)

    assert raised.value.error_type.rpartition(".")[2] == error
    assert texts(engine) == []


def test_a_job_may_commit_and_roll_back_its_session(
    running: DurableExecutor, engine: Engine
) -> None:
    running.submit(notes.change_mind).result(60)

    assert texts(engine) == ["first", "third"]


def test_a_job_cannot_commit_without_its_outcome(running: DurableExecutor, engine: Engine) -> None:
    with pytest.raises(JobFailed, match=r"session.commit\(\)"):
        running.submit(notes.commit_for_good).result(60)

    assert texts(engine) == []


@pytest.mark.parametrize("goes_on", [False, True], ids=["tells", "swallows"])
def test_a_job_that_ends_its_transaction_itself_fails_once_and_says_how(
    running: DurableExecutor, engine: Engine, *, goes_on: bool
) -> None:
    future = running.submit(notes.end_by_text, "COMMIT", goes_on=goes_on)

    with pytest.raises(JobFailed, match="COMMIT of this job has ended its transaction") as raised:
        future.result(60)

    assert (raised.value.error_type, raised.value.attempts) == ("lightwork.UsageError", 1)
    # The truth about what was written is in the text.
    assert texts(engine) == ["by itself"]


# Begins another transaction, or leaves MariaDB in none: told by the statement, or by its savepoint.
@pytest.mark.parametrize("statement", ["CREATE TABLE of_job (id INTEGER)", "BEGIN"])
def test_a_statement_that_commits_by_itself_on_mariadb_fails_its_job_once(
    mariadb_url: str, statement: str
) -> None:
    made = create_engine(mariadb_url)
    notes.Row.metadata.create_all(made)
    with DurableExecutor(mariadb_url, workers="processes:1") as executor:
        future = executor.submit(notes.end_by_text, statement, goes_on=False)

        with pytest.raises(JobFailed, match="of this job has ended its transaction") as raised:
            future.result(60)
        with Session(made) as session:
            session.execute(text("DROP TABLE IF EXISTS of_job"))

    assert raised.value.attempts == 1
    assert texts(made) == ["by itself"]
    made.dispose()


def test_the_last_report_is_kept_with_the_outcome(running: DurableExecutor, engine: Engine) -> None:
    future = running.submit(notes.report_and_add)
    future.result(60)

    progress = future.progress
    assert progress is not None
    assert (progress.done, progress.note) == (20, "step 20")
    assert count(engine) == 1


def test_values_are_read_as_the_annotations_behind_the_session_say(
    running: DurableExecutor, engine: Engine
) -> None:
    future = running.submit(notes.typed, notes.Point(1, 2), other=notes.Point(3, 4))

    assert future.result(60) == notes.Point(3, 4)
    assert texts(engine) == ["4"]


def test_a_job_may_submit_the_next_in_its_own_transaction(
    running: DurableExecutor, url: str, engine: Engine
) -> None:
    job_id = running.submit(notes.submit_next, url, fail=False).result(60)
    with pytest.raises(JobFailed, match="ValueError"):
        running.submit(notes.submit_next, url, fail=True).result(60)

    assert running.future(job_id).result(60) == 42
    assert len(running.store.jobs()) == 3


def test_the_password_of_the_store_is_nowhere_to_be_read(
    postgresql_url: str,
) -> None:
    # The server of the tests trusts everybody, whatever they say.
    url = make_url(postgresql_url).set(password="hunter2")
    text = url.render_as_string(hide_password=False)
    with DurableExecutor(text, workers="processes:1") as executor:
        assert executor.submit(notes.see_environment, "hunter2").result(60) == []


@pytest.mark.parametrize("where", ["threads:1", "processes:1", "inline"])
def test_local_executors_refuse_such_a_task(where: str) -> None:
    with lw.executor(where) as executor:
        with pytest.raises(UsageError, match="transaction=True"):
            executor.submit(notes.add_note, 1)
        with pytest.raises(UsageError, match="transaction=True"):
            executor.map(notes.add_note, [1])


def test_a_function_that_takes_no_session_is_refused_where_it_is_declared() -> None:
    with pytest.raises(UsageError, match=r"def \S*nothing\(session"):

        @lw.task(transaction=True)  # type: ignore[arg-type]
        def nothing() -> None: ...


def test_a_coroutine_function_is_refused_where_it_is_declared() -> None:
    with pytest.raises(UsageError, match="coroutine function"):

        @lw.task(transaction=True)
        async def work(session: Any) -> None: ...


def test_the_function_itself_can_be_called_with_any_session(engine: Engine) -> None:
    add_note: Any = notes.add_note.fn
    with Session(engine) as session:
        assert add_note(session, 1) == 1
        session.commit()

    assert count(engine) == 1


def test_a_plain_submit_within_the_transaction_of_a_job_is_refused_at_once(
    sqlite_url: str,
) -> None:
    notes.Row.metadata.create_all(made := create_engine(sqlite_url))
    made.dispose()
    with DurableExecutor(sqlite_url, workers="processes:1") as executor:
        said = executor.submit(notes.submit_apart, sqlite_url).result(60)

    assert "wait for itself" in said


def test_a_job_that_commits_its_outcome_lets_go_of_its_key_and_its_slot(
    url: str, engine: Engine
) -> None:
    bound = notes.add_note.options(
        unique="note", limit=lw.Limit("notes", running=1), headers={"trace": "1"}
    )
    with DurableExecutor(url, workers="threads:2") as executor:
        for number in (1, 2):
            assert executor.submit(bound, number).result(60) == number

        assert executor.store.check() == []
    assert count(engine) == 2
