"""Programs whose store is set to take less than they submit: nothing has happened when they are told."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from face.jobs import note, same
from lightwork.durable.executor import DurableExecutor
from lightwork.errors import JobFailed, PayloadError
from lightwork.tasks.task import task

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


def test_results_are_not_bounded_by_it(url: str, tmp_path: Path) -> None:
    with DurableExecutor(url, workers="threads:1") as executor:
        executor.store.change_setting("max_payload", MOST, by="ada@analytical")

        executor.submit(note, str(tmp_path / "notes"), "x").result(30)
        assert executor.submit(repeat, "x", 3000).result(30) == LARGE


@task
def repeat(text: str, count: int) -> str:
    return text * count
