"""A task that a child cannot load for a moment: nothing of its jobs is used up, and it rests."""

import logging
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module, invalidate_caches
from pathlib import Path

import pytest

from lightwork.model import Lane, State
from lightwork.store.contract import Store
from lightwork.tasks.task import Task
from lightwork.work.resting import Rests
from lightwork.work.service import Worker
from lightwork.work.unserved import why_unserved
from waiting import wait_until
from work.jobs import note, submit, wait_for

pytestmark = pytest.mark.process

_HELPER = "def double(n):\n    return 2 * n\n"
_MODULE = """
from lw_deployed_part import double
from lightwork.tasks.task import task

@task(retries=0, max_crashes=1)
def twice(n: int) -> int:
    return double(n)

@task
async def twice_later(n: int) -> int:
    return double(n)
"""


class Deployed:
    """A module with a part of it, as files that are taken away and put back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.put_back()

    def put_back(self) -> None:
        self.write("lw_deployed.py", _MODULE)
        self.write("lw_deployed_part.py", _HELPER)

    def write(self, name: str, text: str) -> None:
        # What was compiled goes by the second and the size.
        shutil.rmtree(self._folder / "__pycache__", ignore_errors=True)
        (self._folder / name).write_text(text)

    def remove(self, name: str) -> None:
        shutil.rmtree(self._folder / "__pycache__", ignore_errors=True)
        (self._folder / name).unlink()

    def task(self, name: str = "twice") -> Task[[int], int]:
        found: Task[[int], int] = getattr(import_module("lw_deployed"), name)
        return found


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    invalidate_caches()
    yield Deployed(folder)
    for name in ("lw_deployed", "lw_deployed_part"):
        sys.modules.pop(name, None)


def _is_logged(caplog: pytest.LogCaptureFixture, times: int = 1) -> bool:
    return len(_logged(caplog)) >= times


def _logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for line in caplog.messages if line.startswith("task_not_loaded")]


def _is_unharmed(store: Store, job_id: uuid.UUID) -> bool:
    view = store.job(job_id)
    assert view is not None
    return (view.failures, view.crashes, store.attempts(job_id)) == (0, 0, [])


@pytest.mark.parametrize(
    "case",
    [
        ("twice", "lw_deployed.py", None),
        ("twice", "lw_deployed.py", "def twice("),
        # As it is between the truncation and the write.
        ("twice", "lw_deployed.py", ""),
        ("twice", "lw_deployed.py", "raise SystemExit(3)"),
        ("twice", "lw_deployed_part.py", None),
        ("twice", "lw_deployed_part.py", ""),
        ("twice_later", "lw_deployed.py", ""),
    ],
)
def test_a_job_whose_code_is_away_for_a_moment_is_handed_back_and_runs(
    store: Store,
    make: Callable[..., Worker],
    deployed: Deployed,
    caplog: pytest.LogCaptureFixture,
    case: tuple[str, str, str | None],
) -> None:
    name, broken, text = case
    fn = deployed.task(name)
    worker = make(executor="processes:1", modules=["lw_deployed"])
    if text is None:
        deployed.remove(broken)
    else:
        deployed.write(broken, text)
    worker.start()
    job_id = submit(store, fn, 4)
    wait_until(lambda: _is_logged(caplog), "the task was not loaded")
    assert _is_unharmed(store, job_id)

    deployed.put_back()

    wait_for(store, job_id, State.SUCCEEDED)
    assert _is_unharmed(store, job_id)


def test_the_log_tells_once_for_each_rest_which_grows(
    store: Store, make: Callable[..., Worker], deployed: Deployed, caplog: pytest.LogCaptureFixture
) -> None:
    fn = deployed.task()
    deployed.remove("lw_deployed.py")
    for number in range(40):
        submit(store, fn, number)

    make(executor="processes:2", modules=["lw_deployed"]).start()

    wait_until(lambda: _is_logged(caplog, 2), "a second rest")
    first, second, *_ = _logged(caplog)
    assert first == (
        "task_not_loaded task=lw_deployed:twice rests=1 "
        "error=ModuleNotFoundError: No module named 'lw_deployed'"
    )
    assert "rests=2 " in second


def test_others_are_told_why_it_rests_until_it_has_run(
    store: Store, make: Callable[..., Worker], deployed: Deployed
) -> None:
    fn = deployed.task()
    deployed.remove("lw_deployed.py")
    make(executor="processes:1", modules=["lw_deployed"]).start()
    job_id = submit(store, fn, 1)

    error = "ModuleNotFoundError: No module named 'lw_deployed'"
    wait_until(lambda: _resting(store) == {fn.name: error}, "others are told")
    reason = why_unserved(Lane("default", fn.name), store.workers())
    assert reason == f"no live worker could load this task: {error}"

    deployed.put_back()
    wait_for(store, job_id, State.SUCCEEDED)
    wait_until(lambda: _resting(store) == {}, "others are told that it runs")


def _resting(store: Store) -> Mapping[str, str]:
    (worker,) = store.workers()
    assert worker.knows("lw_deployed:twice")
    return worker.resting


def test_jobs_of_other_tasks_run_beside_it(
    store: Store, make: Callable[..., Worker], deployed: Deployed, caplog: pytest.LogCaptureFixture
) -> None:
    fn = deployed.task()
    deployed.remove("lw_deployed.py")
    make(executor="processes:1", modules=["lw_deployed"]).start()
    submit(store, fn, 1)
    wait_until(lambda: _is_logged(caplog), "the task was not loaded")

    other = submit(store, note, 1)

    wait_for(store, other, State.SUCCEEDED)


def test_what_waits_behind_it_goes_back_at_once(
    store: Store, make: Callable[..., Worker], deployed: Deployed, caplog: pytest.LogCaptureFixture
) -> None:
    fn = deployed.task()
    deployed.remove("lw_deployed.py")
    ids = [submit(store, fn, number) for number in range(200)]
    caplog.set_level(logging.INFO)

    make(executor="processes:1", modules=["lw_deployed"]).start()
    wait_until(lambda: _is_logged(caplog), "the task was not loaded")
    wait_until(lambda: set(store.states(ids).values()) == {State.READY}, "all were handed back")
    deployed.put_back()

    wait_until(lambda: set(store.states(ids).values()) == {State.SUCCEEDED}, "all ran")


def test_a_task_rests_for_a_second_and_twice_as_long_each_time_up_to_a_minute() -> None:
    rests, now, seen = Rests(), 100.0, []

    for _ in range(8):
        seen.append(rests.begin("task", "away", now))
        now += seen[-1]

    assert seen == [1, 2, 4, 8, 16, 32, 60, 60]


def test_failures_in_a_rest_do_not_make_it_longer() -> None:
    rests = Rests()
    rests.begin("task", "away", 100.0)

    assert rests.begin("task", "away", 100.5) == 0
    assert rests.has("task", 100.9)
    assert not rests.has("task", 101.0)


def test_a_task_that_ran_rests_for_a_second_again() -> None:
    rests = Rests()
    rests.begin("task", "away", 100.0)
    rests.begin("task", "away", 101.0)

    rests.note_ran("task")

    assert rests.begin("task", "away", 104.0) == 1


def test_a_task_rests_by_itself() -> None:
    rests = Rests()

    rests.begin("task", "away", 100.0)

    assert not rests.has("other", 100.5)
