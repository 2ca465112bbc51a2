"""Workers that are killed, stopped, cut off and told to end: no job is lost, none ends twice."""

import fcntl
import os
import random
import signal
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from chaos.conftest import WorkerProcess, everywhere, is_alive
from chaos.tasks import take, wait_for
from lightwork.durable.executor import DurableExecutor
from lightwork.durable.future import DurableFuture
from lightwork.errors import StoreUnavailable
from lightwork.model import State
from lightwork.pool.call.future import Future
from lightwork.store.views import JobView
from waiting import wait_until

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.process,
    # On a busy machine a worker may take longer to start than a result has patience.
    pytest.mark.filterwarnings("ignore::lightwork.errors.NoWorkerWarning"),
]

Start = Callable[..., WorkerProcess]


def view_of(executor: DurableExecutor, future: Future[Any]) -> JobView:
    assert isinstance(future, DurableFuture)
    view = executor.store.job(future.job_id)
    assert view is not None
    return view


def pids_at(gate: Path) -> list[int]:
    """Return the processes that have begun to wait for this gate, first to last."""
    path = Path(f"{gate}.pids")
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("seed", [random.randrange(10**6)])
def test_two_workers_killed_at_random_lose_no_job(
    start: Start, executor: DurableExecutor, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    jobs = executor.submit_many(take, [(number % 10,) for number in range(2000)])
    workers = [start(), start()]
    kills = 0
    deadline = time.monotonic() + 20

    def finished() -> int:
        return executor.store.summary().states[State.SUCCEEDED]

    while finished() < len(jobs) and time.monotonic() < deadline:
        victim = chance.randrange(2)
        # At any moment of a worker's life: while it starts, runs, or waits for a lease.
        time.sleep(chance.uniform(0.2, 2.0))
        workers[victim].kill()
        workers[victim] = start()
        kills += 1
    results = [job.result(60) for job in jobs]

    path = tmp_path / "work.db"
    assert kills > 2
    assert results == [number % 10 for number in range(2000)]
    assert rows(path, "select state, count(*) from outcome group by state") == [("succeeded", 2000)]
    # One row for every attempt that was lost, and none for the last, which was not.
    wrong = """
        select job.seq from outcome as job left join attempt on attempt.seq = job.seq
        group by job.seq
        having job.crashes != count(attempt.number) or job.failures != 0
            or max(attempt.number) >= job.attempt
    """
    assert rows(path, wrong) == []
    assert rows(path, "select distinct outcome from attempt") in ([("lost",)], [])
    assert executor.store.check() == []


@everywhere
def test_a_worker_stopped_past_its_lease_changes_nothing_late(
    start: Start, executor: DurableExecutor, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    future = executor.submit(wait_for, str(gate))
    first = start()
    wait_until(lambda: len(pids_at(gate)) == 1, "the first attempt")
    wait_until(lambda: view_of(executor, future).has_begun, "the store to know that it has begun")
    (before,) = [worker.id for worker in executor.store.workers()]

    first.signal(signal.SIGSTOP)
    second = start()
    wait_until(lambda: len(pids_at(gate)) == 2, "the second attempt")
    gate.touch()
    assert future.result(20) == "let go"
    outcome = view_of(executor, future)
    first.signal(signal.SIGCONT)
    first.wait_until_said("worker_lease_lost")
    second.kill()

    further = executor.submit(take, 1)
    assert further.result(20) == 1
    assert view_of(executor, future) == outcome
    assert (outcome.attempt, outcome.crashes, outcome.state) == (2, 1, State.SUCCEEDED)
    assert not is_alive(pids_at(gate)[0])
    (after,) = [worker.id for worker in executor.store.workers() if worker.pid == first.pid]
    assert after != before


def test_a_worker_told_to_end_finishes_what_runs_and_hands_back_the_rest(
    start: Start, executor: DurableExecutor, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    executor.submit_many(take, [(0,)] * 100)
    running = executor.submit(wait_for, str(gate))
    waiting = executor.submit_many(take, [(0,)] * 100)
    worker = start()
    wait_until(lambda: pids_at(gate), "the job to run")
    wait_until(lambda: view_of(executor, waiting[0]).attempt, "a claim ahead")

    worker.signal(signal.SIGTERM)
    wait_until(lambda: _all(executor, waiting, State.READY), "what waits is handed back")
    gate.touch()

    assert worker.process.wait(20) == 0
    assert running.result(20) == "let go"
    views = [view_of(executor, future) for future in waiting]
    assert {(view.failures, view.crashes) for view in views} == {(0, 0)}
    assert executor.store.workers() == []


def _all(executor: DurableExecutor, futures: Iterable[DurableFuture[Any]], state: State) -> bool:
    ids: list[uuid.UUID] = [future.job_id for future in futures]
    return set(executor.store.states(ids).values()) == {state}


def test_a_second_signal_ends_a_worker_now(
    start: Start, executor: DurableExecutor, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    running = executor.submit(wait_for, str(gate))
    worker = start()
    wait_until(lambda: pids_at(gate), "the job to run")

    worker.signal(signal.SIGTERM)
    worker.wait_until_said("worker_stopping")
    worker.signal(signal.SIGINT)

    assert worker.process.wait(10) == 0
    view = view_of(executor, running)
    assert (view.state, view.failures, view.crashes) == (State.READY, 0, 0)
    wait_until(lambda: not is_alive(pids_at(gate)[0]), "the end of its child")


@contextmanager
def database_held(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as connection:
        connection.execute("begin immediate")
        yield
        connection.execute("rollback")


@contextmanager
def lock_file_held(path: Path) -> Iterator[None]:
    with Path(f"{path}-lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("hold", [database_held, lock_file_held])
def test_a_second_signal_ends_workers_now_whoever_holds_the_database(
    start: Start,
    executor: DurableExecutor,
    tmp_path: Path,
    hold: Callable[[Path], AbstractContextManager[None]],
) -> None:
    gate = tmp_path / "gate"
    running = executor.submit(wait_for, str(gate))
    workers = [start(), start()]
    wait_until(lambda: view_of(executor, running).has_begun, "the job to run")
    wait_until(lambda: len(executor.store.workers()) == 2, "both workers to be there")

    with hold(tmp_path / "work.db"):
        for worker in workers:
            # Two of one kind might be taken for one.
            worker.signal(signal.SIGTERM)
            worker.signal(signal.SIGINT)
        # About two seconds; SQLite alone has a patience of thirty.
        codes = [worker.process.wait(15) for worker in workers]
    gate.touch()
    start()

    assert codes == [0, 0]
    assert running.result(20) == "let go"


@everywhere
def test_what_runs_longer_than_the_grace_period_is_handed_back(
    start: Start, executor: DurableExecutor, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    running = executor.submit(wait_for, str(gate))
    worker = start(grace=0.2)
    wait_until(lambda: pids_at(gate), "the job to run")

    worker.signal(signal.SIGTERM)

    assert worker.process.wait(10) == 0
    view = view_of(executor, running)
    assert (view.state, view.failures, view.crashes) == (State.READY, 0, 0)


def test_a_database_that_somebody_holds_past_the_lease_ends_no_running_job(
    start: Start, executor: DurableExecutor, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    future = executor.submit(wait_for, str(gate))
    worker, other = start(), start()
    wait_until(lambda: pids_at(gate), "the job to run")
    wait_until(lambda: len(executor.store.workers()) == 2, "both to be known")

    with closing(sqlite3.connect(tmp_path / "work.db", isolation_level=None, timeout=20)) as lock:
        lock.execute("begin immediate")
        # Three leases: the time itself is the input.
        time.sleep(3.0)
        assert len(executor.store.workers()) == 2
        lock.execute("rollback")
    gate.touch()

    assert future.result(20) == "let go"
    assert worker.process.poll() is other.process.poll() is None
    assert "lease_lost" not in worker.said() + other.said()
    assert len(pids_at(gate)) == 1
    assert (view_of(executor, future).attempt, view_of(executor, future).crashes) == (1, 0)


@everywhere
def test_a_worker_that_lost_its_lease_says_itself_that_its_jobs_are_not_to_blame(
    start: Start, executor: DurableExecutor, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    future = executor.submit(wait_for, str(gate))
    worker = start()
    wait_until(lambda: view_of(executor, future).has_begun, "the job to run")

    worker.signal(signal.SIGSTOP)
    wait_until(lambda: executor.store.workers() == [], "the end of its lease")
    worker.signal(signal.SIGCONT)
    wait_until(lambda: len(pids_at(gate)) == 2, "the second attempt")
    gate.touch()

    assert future.result(20) == "let go"
    assert (view_of(executor, future).attempt, view_of(executor, future).crashes) == (2, 0)


def test_the_jobs_of_a_killed_worker_are_not_waited_for(
    start: Start, executor: DurableExecutor, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    future = executor.submit(wait_for, str(gate))
    first = start(lease=600.0)
    wait_until(lambda: view_of(executor, future).has_begun, "the job to run")

    first.kill()
    gate.touch()
    assert executor.store.workers() == []
    start(lease=600.0)

    assert future.result(30) == "let go"
    assert (view_of(executor, future).attempt, view_of(executor, future).crashes) == (2, 1)


def test_a_folder_that_is_away_for_a_while_costs_nothing(
    start: Start, executor: DurableExecutor, tmp_path: Path
) -> None:
    worker = start()
    assert executor.submit(take, 1).result(20) == 1
    waiting = executor.submit(take.options(delay=0.5), 2)
    away = tmp_path.with_name(tmp_path.name + "-away")

    tmp_path.rename(away)
    try:
        with pytest.raises(StoreUnavailable, match="moved away"):
            executor.submit(take, 3)
        log = away / worker.log.name
        wait_until(lambda: "store_unavailable" in log.read_text(), "the worker to notice")
    finally:
        away.rename(tmp_path)

    assert waiting.result(20) == 2
    assert executor.submit(take, 4).result(20) == 4
    assert worker.process.poll() is None
    # What was refused is not there.
    assert executor.store.summary().states[State.SUCCEEDED] == 3
    assert executor.store.check() == []


@everywhere
def test_a_killed_child_costs_one_attempt_of_its_job_and_no_other(
    start: Start, executor: DurableExecutor, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    start(executor="processes:2")
    guilty = executor.submit(wait_for, str(gate))
    others = executor.submit_many(take, [(1,)] * 100)
    wait_until(lambda: pids_at(gate), "the job to run")

    os.kill(pids_at(gate)[0], signal.SIGKILL)
    wait_until(lambda: len(pids_at(gate)) == 2, "the second attempt")
    gate.touch()

    assert guilty.result(20) == "let go"
    assert [other.result(20) for other in others] == [1] * 100
    assert [
        (one.number, one.outcome) for one in executor.store.attempts(view_of(executor, guilty).id)
    ] == [(1, "lost")]
    assert sum(view_of(executor, other).crashes for other in others) == 0
