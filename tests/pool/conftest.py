"""The pools of most tests of child processes; files of other pools have their own."""

import os
from collections.abc import Iterator

import busy
import pytest

from leftovers import nothing_left_by
from lightwork.pool.memory import control_block as pages
from lightwork.pool.memory.control_block import STARTED, ControlBlock, make_control_block
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


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlBlock]:
    """The page of a child, which this process plays; its call is number 7."""
    fd = make_control_block()
    page = ControlBlock(fd)
    page.words[STARTED] = 7
    monkeypatch.setattr(pages, "own_block", pages.own_block)
    pages.own_block[:] = [page]
    yield page
    pages.own_block.clear()
    page.close()
    os.close(fd)
