"""Workers that die with jobs that have not begun: only what has begun is blamed, and all ends."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos.conftest import WorkerProcess, everywhere_in_long
from chaos.tasks import once, take, take_down
from lightwork.durable.executor import DurableExecutor
from lightwork.durable.future import DurableFuture
from lightwork.model import State
from lightwork.retry import SUSPECT_LOSSES
from lightwork.store.views import JobView
from waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.process]

Start = Callable[..., WorkerProcess]


def work_until_done(start: Start, executor: DurableExecutor, jobs: int) -> int:
    """Have one worker after the other do the jobs; return how many have died."""
    deaths = 0
    worker = start()

    def is_done() -> bool:
        nonlocal worker, deaths
        if worker.process.poll() is not None:
            deaths += 1
            worker = start()
        states = executor.store.summary().states
        return sum(count for state, count in states.items() if state.is_final) == jobs

    wait_until(is_done, "an outcome of each job", within=120.0)
    return deaths


def all_views(executor: DurableExecutor) -> list[JobView]:
    return sorted(executor.store.jobs(limit=10_000), key=lambda view: view.seq)


@everywhere_in_long
def test_a_job_that_takes_its_workers_down_ends_and_no_other_is_blamed(
    start: Start, executor: DurableExecutor
) -> None:
    executor.submit_many(take, [(0,)] * 100)
    guilty = executor.submit(take_down, 0)
    executor.submit_many(take, [(0,)] * 200)

    deaths = work_until_done(start, executor, 301)

    views = all_views(executor)
    assert isinstance(guilty, DurableFuture)
    (blamed,) = [view for view in views if view.id == guilty.job_id]
    # Those that had just ended may have a mark too: their outcomes died with the worker, which
    # records some milliseconds' worth at once, and more where the machine is busy.
    others = [view.crashes for view in views if view.crashes and view is not blamed]
    assert len(others) < 10 * deaths
    assert set(others) <= {1}
    assert (blamed.state, blamed.crashes) == (State.FAILED, 3)
    assert deaths == blamed.attempt <= SUSPECT_LOSSES + 3
    assert Counter(view.state for view in views) == {State.SUCCEEDED: 300, State.FAILED: 1}


@everywhere_in_long
def test_jobs_that_may_not_run_twice_run_once_among_workers_that_die(
    start: Start, executor: DurableExecutor, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    executor.submit_many(take, [(0,)] * 100)
    executor.submit_many(once, [(str(runs), number) for number in range(20)])
    executor.submit(take_down.options(max_crashes=1), 0)
    executor.submit_many(once, [(str(runs), number) for number in range(20, 40)])

    deaths = work_until_done(start, executor, 141)

    counts = Counter(map(int, runs.read_text().split()))
    views = [view for view in all_views(executor) if view.task.endswith(":once")]
    lost = [number for number, view in enumerate(views) if view.state is not State.SUCCEEDED]
    # Each has run, and once; a worker dies at most with the outcome of the last one.
    assert counts == Counter(range(40))
    assert len(lost) <= deaths
    assert {views[number].attempt for number in lost} <= {1}
