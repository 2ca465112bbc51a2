"""Children and workers are killed around the commit of a job, or lose it: all of it counts once, or nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from lightwork.durable.executor import DurableExecutor
from lightwork.errors import JobFailed
from lightwork.lifecycle import Quarantined
from lightwork.model import Attempt, ErrorInfo, Policy, State
from store.steps import end_lease
from transaction import notes
from transaction.notes import count, texts
from waiting import wait_until

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


@pytest.mark.parametrize("event", ["now", "commit"])
def test_a_child_that_is_killed_before_the_commit_has_written_nothing(
    running: DurableExecutor, engine: Engine, event: str
) -> None:
    future = running.submit(notes.die_at, 1, event, 1)

    assert future.result(60) == 2
    view = job_of(running, future)
    assert (view.attempt, view.crashes) == (2, 1)
    assert texts(engine) == [event]


def test_a_child_that_is_killed_after_the_commit_has_succeeded(
    running: DurableExecutor, engine: Engine
) -> None:
    """Between the commit and the answer: nothing is counted, nothing runs twice."""
    future = running.submit(notes.die_at, 1, "checkin", 1)

    assert future.result(60) == 1
    # By the time the next one has run the worker has heard of the death.
    assert running.submit(notes.add_note, 2).result(60) == 2
    view = job_of(running, future)
    assert (view.state, view.attempt, view.crashes) == (State.SUCCEEDED, 1, 0)
    assert running.store.attempts(view.id) == []
    assert count(engine) == 2
    assert running.store.check() == []


def test_a_worker_that_is_killed_after_the_commit_leaves_nothing_to_rescue(
    executor: DurableExecutor, url: str, engine: Engine
) -> None:
    words = [sys.executable, "-m", "lightwork", "worker", url, "-m", "transaction.notes", "-j", "1"]
    tests = str(Path(__file__).parents[1])
    path = os.pathsep.join([tests, *filter(None, [os.environ.get("PYTHONPATH")])])
    worker = subprocess.Popen(
        words, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.DEVNULL
    )
    future: Any = executor.submit(notes.kill_after_commit, worker.pid)

    assert worker.wait(60) == -signal.SIGKILL
    for one in executor.store.workers(include_dead=True):
        end_lease(executor.store, one.id)
    rescued = executor.store.rescue()

    assert rescued == []
    assert future.result(60) == 1
    view = job_of(executor, future)
    assert (view.state, view.attempt, view.crashes) == (State.SUCCEEDED, 1, 0)
    assert texts(engine) == ["committed"]


@pytest.mark.parametrize("where", ["processes:1", "threads:1"])
def test_an_attempt_that_was_rescued_meanwhile_commits_nothing(
    url: str, engine: Engine, tmp_path: Path, where: str
) -> None:
    """Its worker knows nothing of it: the fence alone holds."""
    gate = tmp_path / "gate"
    with DurableExecutor(url, workers=where) as executor:
        future: Any = executor.submit(notes.wait_then_add.options(max_crashes=1), str(gate))
        wait_until(Path(f"{gate}.entered").exists, "the job to run")
        wait_until(
            lambda: job_of(executor, future).has_begun, "the store to know that it has begun"
        )
        quarantine(executor, future)
        gate.touch()

        with pytest.raises(JobFailed, match="quarantined by a test"):
            future.result(60)
        # The child is free again: what it had to say was refused.
        assert executor.submit(notes.add_note, 2).result(60) == 2

    assert texts(engine) == ["note"]


def quarantine(executor: DurableExecutor, future: Any) -> None:
    """End the attempt as who rescues it does."""
    view = job_of(executor, future)
    (worker,) = executor.store.workers()
    attempt = attempt_of(view)
    error = ErrorInfo(type="WorkerLost", text="quarantined by a test")
    assert executor.store.ack(worker.id, [(attempt, Quarantined(error))]) == []


def attempt_of(view: Any) -> Attempt:
    return Attempt(
        job_id=view.id,
        seq=view.seq,
        number=view.attempt,
        task=view.task,
        payload=b"",
        policy=Policy(),
    )


def test_a_job_that_is_killed_by_its_cancel_writes_nothing(
    running: DurableExecutor, engine: Engine, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    future = running.submit(notes.wait_then_add, str(gate))
    wait_until(Path(f"{gate}.entered").exists, "the job to run")

    assert not future.cancel(running="kill")

    wait_until(future.cancelled, "the end of the job")
    assert texts(engine) == []
