"""Workers on a real SQLite file; no test of them leaves anything behind."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leftovers import nothing_left_by
from lightwork.store.contract import Store
from lightwork.store.sqlstore import open_store
from lightwork.tasks.task import Task, task
from lightwork.work.service import Worker
from work.jobs import TASKS, entered, leave, others, ran
from work.ticks import tick


@pytest.fixture(autouse=True)
def leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    with nothing_left_by(request):
        yield


@pytest.fixture
def ticking() -> Task[[], None]:
    # Never a name of a module: every worker inside of this process would declare it.
    return task(schedule="every 1s", catch_up="all", priority=3)(tick)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    ran.clear()
    entered.clear()
    leave.clear()
    yield
    leave.set()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "work.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{path}")
    others.append(opened)
    yield opened
    others.clear()
    opened.close()


@pytest.fixture
def make(store: Store) -> Iterator[Callable[..., Worker]]:
    made: list[Worker] = []

    def worker(**options: Any) -> Worker:
        options.setdefault("executor", "threads:1")
        made.append(Worker(store, tasks=TASKS, **options))
        return made[-1]

    yield worker
    leave.set()
    for one in made:
        one.stop()
        one.stop()
        one.wait()
