"""Programs whose store is set to take less than they submit: nothing has happened when they are told."""

import asyncio
import contextlib

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from face.jobs import same
from lightwork.durable.executor import DurableExecutor
from lightwork.errors import JobFailed, PayloadError
from lightwork.tasks.task import task
from store import servers
from transaction.notes import Row

MOST = 2048
LARGE = "x" * 3000


@task
def fail_with_text(text: str) -> None:
    raise ValueError(text)


@pytest.fixture
def bounded(kept: DurableExecutor) -> DurableExecutor:
    kept.store.change_setting("max_payload", MOST, by="ada@analytical")
    return kept


def test_a_submit_is_refused_and_keeps_nothing(bounded: DurableExecutor) -> None:
    with pytest.raises(PayloadError, match=r"face.jobs:same .*set by ada@analytical"):
        bounded.submit(same, LARGE)

    assert bounded.store.jobs() == []
    assert not bounded.submit(same, "x").done()


def test_many_are_refused_for_one(bounded: DurableExecutor) -> None:
    with pytest.raises(PayloadError):
        bounded.submit_many(same, [("x",), (LARGE,)])
    with pytest.raises(PayloadError):
        bounded.map(same, ["x", LARGE])

    assert bounded.store.jobs() == []


def test_a_submit_in_a_coroutine_is_refused(bounded: DurableExecutor) -> None:
    async def submit() -> None:
        await bounded.submit_async(same, LARGE)

    with pytest.raises(PayloadError):
        asyncio.run(submit())

    assert bounded.store.jobs() == []


def test_in_a_transaction_of_ones_own_what_came_before_stays(
    bounded: DurableExecutor, url: str
) -> None:
    engine = create_engine(url)
    with Session(engine) as session, session.begin():
        bounded.using(session).submit(same, "x")
        with pytest.raises(PayloadError):
            bounded.using(session).submit(same, LARGE)

    engine.dispose()
    assert len(bounded.store.jobs()) == 1


@pytest.mark.process
def test_nothing_is_retried_beside_a_payload_that_is_refused(url: str) -> None:
    with DurableExecutor(url, workers="threads:1") as executor:
        (failed,) = executor.submit_many(fail_with_text, [("no",)], key="k")
        with pytest.raises(JobFailed):
            failed.result(30)
        executor.store.change_setting("max_payload", MOST, by="ada@analytical")

        with pytest.raises(PayloadError):
            executor.submit_many(fail_with_text, [("no",), (LARGE,)], key="k", failed="retry")

        (view,) = executor.store.jobs()
        assert (view.state, view.attempt) == ("failed", 1)


@pytest.mark.process
@pytest.mark.parametrize("workers", ["threads:1", "processes:1"])
def test_a_result_that_is_too_large_fails_its_attempt_for_good(url: str, workers: str) -> None:
    with DurableExecutor(url, workers=workers) as executor:
        executor.store.change_setting("max_payload", MOST, by="ada@analytical")

        assert executor.submit(repeat, "x", MOST - 100).result(30) == "x" * (MOST - 100)
        future = executor.submit(repeat, "x", 3000)
        with pytest.raises(
            JobFailed, match=r"repeat returned 3,00\d bytes.* takes 2,048"
        ) as raised:
            future.result(30)

        assert (raised.value.error_type, raised.value.attempts) == ("lightwork.PayloadError", 1)
        assert "ada@analytical" in str(raised.value)


@pytest.mark.process
@pytest.mark.parametrize("where", ["sqlite", "postgresql", "mariadb"])
def test_one_that_commits_its_own_outcome_keeps_nothing_of_it(url: str, where: str) -> None:
    made = contextlib.nullcontext(url) if where == "sqlite" else servers.new_database(where)
    with made as place, DurableExecutor(place, workers="processes:1") as executor:
        executor.store.change_setting("max_payload", MOST, by="ada@analytical")
        engine = create_engine(place)
        Row.metadata.create_all(engine)

        future = executor.submit(write_and_repeat, "x", 3000)
        with pytest.raises(JobFailed, match=r"write_and_repeat returned 3,00\d bytes") as raised:
            future.result(30)

        assert raised.value.attempts == 1
        with Session(engine) as session:
            assert session.scalars(select(Row.text)).all() == []
        engine.dispose()


@task(retries=3)
def repeat(text: str, count: int) -> str:
    return text * count


@task(retries=3, transaction=True)
def write_and_repeat(session: Session, text: str, count: int) -> str:
    session.add(Row(text=text))
    return text * count
