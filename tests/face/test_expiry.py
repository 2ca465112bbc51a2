"""What a program hears of a job that has not begun in time."""

import asyncio
from concurrent.futures import CancelledError
from datetime import UTC, datetime, timedelta

import pytest

import lightwork as lw
from face.jobs import square
from lightwork.durable.executor import DurableExecutor


def test_a_future_says_that_its_job_has_expired(kept: DurableExecutor) -> None:
    future = kept.submit(lw.call(square, expires=0.001), 3)

    while not kept.store.expire():
        pass

    with pytest.raises(lw.JobCancelled, match="Expired: the job had not begun") as raised:
        future.result(30)
    (view,) = kept.store.jobs()
    assert raised.value.job_id == str(view.id)
    with pytest.raises(CancelledError):
        future.exception(30)
    assert future.cancelled()


def test_a_worker_ends_what_nobody_knows_and_has_expired(url: str) -> None:
    with DurableExecutor(url) as other:
        future = other.submit(lw.call(square, expires=0.001, queue="nobody"), 3)
        with DurableExecutor(url, workers="threads:1"), pytest.raises(lw.JobCancelled):
            future.result(60)


def test_an_instant_that_has_passed_is_now_at_every_reach(url: str) -> None:
    past = lw.call(square, at=datetime.now(UTC) - timedelta(days=1))

    for where in ("inline", "threads:1", url):
        options = {"workers": "threads:1"} if where == url else {}
        with lw.executor(where, **options) as executor:
            assert executor.submit(past, 3).result(60) == 9


def test_a_local_call_waits_for_its_instant() -> None:
    future = lw.call(square, at=datetime.now(UTC) + timedelta(hours=1))

    with lw.executor("threads:1") as executor:
        waiting = executor.submit(future, 3)
        assert executor.submit(square, 2).result(60) == 4

        assert not waiting.done()
        assert waiting.cancel()


def test_whoever_awaits_an_expired_job_is_told_at_the_future(kept: DurableExecutor) -> None:
    future = kept.submit(lw.call(square, expires=0.001), 3)
    while not kept.store.expire():
        pass

    async def wait() -> None:
        with pytest.raises(asyncio.CancelledError):
            await future

    asyncio.run(wait())
    with pytest.raises(lw.JobCancelled, match="Expired"):
        future.result(0)
