"""The pools of most tests of child processes; files of other pools have their own."""

from collections.abc import Iterator

import busy
import pytest

from leftovers import nothing_left_by
from lightwork.pool.process.executor import ProcessExecutor


@pytest.fixture(autouse=True)
def leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    with nothing_left_by(request):
        yield


@pytest.fixture
def pool() -> Iterator[ProcessExecutor]:
    with ProcessExecutor(2) as executor:
        yield executor
        executor.kill_workers()


@pytest.fixture
def single() -> Iterator[ProcessExecutor]:
    with ProcessExecutor(1) as executor:
        yield executor
        executor.kill_workers()


@pytest.fixture
def busy_machine() -> Iterator[None]:
    """More processes that never wait than there are cores."""
    with busy.busy_machine():
        yield
