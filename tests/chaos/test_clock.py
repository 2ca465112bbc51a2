"""The wall clock of a worker is set by an hour, forth and back, while it works."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos.conftest import WorkerProcess, everywhere
from chaos.tasks import give_back, hold
from lightwork.durable.executor import DurableExecutor
from lightwork.durable.future import DurableFuture
from moved_clock import MovedClock, needs_a_compiler
from waiting import wait_until

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.process,
    pytest.mark.filterwarnings("ignore::lightwork.errors.NoWorkerWarning"),
    needs_a_compiler,
]


@pytest.fixture
def set_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set the wall clock of programs that are started from now on, by so many hours."""
    clock = MovedClock(tmp_path)
    for name, value in clock.environment.items():
        monkeypatch.setenv(name, value)
    return clock.set_by


@everywhere
def test_a_clock_that_is_set_by_an_hour_ends_no_lease_and_runs_nothing_twice(
    start: Callable[..., WorkerProcess],
    executor: DurableExecutor,
    tmp_path: Path,
    set_clock: Callable[[int], None],
) -> None:
    gate = tmp_path / "gate"
    future = executor.submit(hold, str(gate))
    worker = start(executor="processes:2", lease=30.0)
    other = start(executor="processes:2", lease=30.0)
    wait_until(Path(f"{gate}.pids").exists, "the job to run")

    for hours in (1, -1):
        set_clock(hours)
        shown = subprocess.run(["date", "+%s"], capture_output=True, check=True)
        assert abs(int(shown.stdout) - time.time() - hours * 3600) < 600
        # Each runs while the clock is wrong; of either worker.
        delayed = executor.submit(give_back.options(delay=0.2), 1)
        assert [one.result(60) for one in executor.submit_many(give_back, [(1,)] * 20)] == [1] * 20
        assert delayed.result(60) == 1
    gate.touch()

    assert future.result(60) == "let go"
    assert isinstance(future, DurableFuture)
    view = executor.store.job(future.job_id)
    assert view is not None
    assert (view.attempt, view.crashes) == (1, 0)
    for each in (worker, other):
        assert "lease_lost" not in each.said()
        assert "jobs_rescued" not in each.said()
