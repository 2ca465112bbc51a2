"""Limits, as a program declares them and workers keep to them."""

from itertools import pairwise
from typing import Any

import pytest

import lightwork as lw
from face.jobs import square
from lightwork.durable.executor import DurableExecutor
from lightwork.model import State


def test_a_map_under_a_limit_is_run_whole(url: str) -> None:
    one_by_one = lw.call(square, limit=lw.Limit("square", running=1))

    with DurableExecutor(url, workers="threads:4") as executor:
        assert list(executor.map(one_by_one, range(30))) == [n * n for n in range(30)]

        assert executor.store.check() == []


def test_a_burst_runs_all_that_waits_for_a_limit(url: str) -> None:
    with DurableExecutor(url) as executor:
        one_by_one = lw.call(square, limit=lw.Limit("n:{n}", running=1))
        executor.submit_many(one_by_one, [(n % 2,) for n in range(20)])

        lw.Worker(url, executor="threads:2", modules=["face.jobs"], burst=True).run()

        assert executor.store.summary().states[State.SUCCEEDED] == 20


def test_jobs_of_a_queue_with_a_limit_of_one_run_one_after_the_other(url: str) -> None:
    with DurableExecutor(url, workers="threads:4") as executor:
        executor.store.limit_queue("default", 1)
        futures = [executor.submit(square, n) for n in range(30)]

        assert [future.result(60) for future in futures] == [n * n for n in range(30)]

        views = sorted(executor.store.jobs(), key=lambda job: job.started_at or job.created_at)
    times = [(job.started_at, job.finished_at) for job in views]
    assert all(
        finished is not None and started is not None and finished <= started
        for (_, finished), (started, _) in pairwise(times)
    )


def test_a_burst_runs_all_of_a_queue_with_a_limit(url: str) -> None:
    with DurableExecutor(url) as executor:
        executor.store.limit_queue("default", 1)
        executor.submit_many(lw.call(square), [(n,) for n in range(20)])

        lw.Worker(url, executor="threads:2", modules=["face.jobs"], burst=True).run()

        assert executor.store.summary().states[State.SUCCEEDED] == 20


def test_a_rate_lets_jobs_begin_one_after_the_other(url: str) -> None:
    slow = lw.call(square, limit=lw.Limit("slow", rate=20, per=1, burst=1))

    with DurableExecutor(url, workers="threads:4") as executor:
        futures = [executor.submit(slow, n) for n in range(6)]
        assert [future.result(60) for future in futures] == [n * n for n in range(6)]
        views = sorted(
            job.started_at.timestamp() for job in executor.store.jobs() if job.started_at
        )

    # One token at first, and one in 50 ms: 5 of them take 250 ms at least.
    assert views[-1] - views[0] >= 0.24


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (7, "limit must be lw.Limit"),
        ([7], "limit must be lw.Limit"),
        (lw.Limit("x"), "limits nothing"),
        (lw.Limit("", running=1), "key of Limit"),
        (lw.Limit("x", running=-1), "running of Limit"),
        (lw.Limit("x", rate=1, per=0), "rate of Limit"),
        ([lw.Limit("x", running=1), lw.Limit("x", rate=1)], "key of its own"),
    ],
)
def test_what_makes_no_sense_is_refused(limit: Any, words: str) -> None:
    with pytest.raises(lw.UsageError, match=words):
        lw.call(square, limit=limit)


@pytest.mark.parametrize("key", ["{user}", "x" * 301, "x ", "a\0b"])
def test_a_key_that_cannot_be_made_keeps_nothing(kept: DurableExecutor, key: str) -> None:
    with pytest.raises(lw.UsageError, match="key"):
        kept.submit(lw.call(square, limit=lw.Limit(key, running=1)), 3)

    assert kept.store.jobs() == []
