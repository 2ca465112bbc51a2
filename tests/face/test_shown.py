"""What executors, futures, results and rows say of themselves in a REPL or a debugger."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

import lightwork as lw
from face.jobs import fail_with, square
from lightwork.durable.executor import DurableExecutor


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        ("threads:3", "<ThreadExecutor max_workers=3>"),
        ("processes:2", "<ProcessExecutor max_workers=2>"),
        ("inline", "<InlineExecutor max_workers=1>"),
    ],
)
def test_an_executor_says_what_it_is(where: str, shown: str) -> None:
    with lw.executor(where) as opened:
        assert repr(opened) == shown


def test_a_durable_executor_says_where_its_jobs_are(url: str) -> None:
    with DurableExecutor(url, workers="threads:2") as opened:
        assert repr(opened) == f"<DurableExecutor {url} workers=threads:2>"


def test_a_future_says_how_far_it_is() -> None:
    with lw.executor("inline") as opened:
        done, failed = opened.submit(square, 3), opened.submit(fail_with, "value")

        assert repr(done) == "<Future of a call: returned int>"
        assert repr(failed) == "<Future of a call: raised ValueError>"
    assert repr(lw.Future()) == "<Future of a call: pending>"


def test_a_future_of_a_process_names_the_function() -> None:
    with lw.executor("processes:1") as opened:
        waiting = [opened.submit(square, 3) for _ in range(2)]
        shown = [repr(future) for future in waiting]
        values = [future.result(20) for future in waiting]

    # It may be done before it is looked at.
    assert all("square" in text or "returned int" in text for text in shown)
    assert values == [9, 9]


def test_a_durable_future_names_its_job(url: str) -> None:
    with DurableExecutor(url) as opened:
        (future,) = opened.submit_many(square, [(3,)])

        assert repr(future) == f"<DurableFuture of job {future.job_id}: pending>"


@pytest.mark.parametrize("where", ["inline", "threads:1", "processes:1", "store"])
@pytest.mark.parametrize("progress", [False, True])
def test_results_say_whose_they_are(url: str, where: str, progress: bool) -> None:
    with lw.executor(url if where == "store" else where) as opened:
        results = opened.map(square, [1], progress=progress)
        shown = repr(results)
        results.close()

    assert shown == f"<Results of {'face.jobs:' if where == 'store' else ''}square>"


def test_a_future_whose_result_cannot_be_shown_is_shown() -> None:
    future: lw.Future[object] = lw.Future()
    future.set_result(Unshowable())

    assert repr(future) == "<Future of a call: returned Unshowable>"


def test_a_row_shows_what_is_loaded_and_asks_nobody(url: str, tmp_path: Path) -> None:
    with DurableExecutor(url) as opened:
        opened.submit(square, 3)

    with Session(create_engine(url)) as session:
        job = session.scalars(select(lw.Job)).one()
        assert repr(job) == f"<Job seq={job.seq} task={job.task} state=ready>"
        session.expire(job)
        assert repr(job) == "<Job >"


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no")
