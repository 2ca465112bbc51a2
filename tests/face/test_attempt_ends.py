"""What is kept of an attempt that ends badly: the signal that ended its child, and how much that held."""

import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lightwork.durable.executor import DurableExecutor
from lightwork.durable.future import DurableFuture
from lightwork.errors import JobFailed
from lightwork.pool.call.future import Future
from lightwork.store.sqlstore import open_store
from lightwork.store.views import AttemptView
from lightwork.tasks.task import task

pytestmark = pytest.mark.process

MIB = 1 << 20
LARGE = 200 * MIB
# What Python and lightwork themselves take in a child is less.
SMALL = 120 * MIB
KILL, FAULT = int(signal.SIGKILL), int(signal.SIGSEGV)


def touch(size: int) -> None:
    bytearray(size)[:: resource.getpagesize()] = bytes(size // resource.getpagesize())


@task(max_crashes=1)
def hold_and_die(size: int, number: int) -> None:
    touch(size)
    os.kill(os.getpid(), number)


@task
def hold_and_fail(size: int) -> None:
    touch(size)
    raise ValueError("no")


@task
def hold(size: int) -> None:
    touch(size)


@task(max_crashes=1)
def leave(status: int) -> None:
    os._exit(status)


# A child that has imported all it needs touches its memory in a twentieth of that.
@task(timeout=1)
def hold_and_stay(size: int) -> None:
    touch(size)
    time.sleep(60)


@task(max_memory="300M", max_crashes=1)
def hold_too_much(path: str) -> None:
    held = bytearray(400 * MIB)
    held[:: resource.getpagesize()] = bytes(len(held) // resource.getpagesize())
    while not Path(path).exists():
        time.sleep(0.01)


@task
async def fail_in_coroutine() -> None:
    raise ValueError("no")


@pytest.fixture
def one_child(url: str) -> Iterator[DurableExecutor]:
    with DurableExecutor(url, workers="processes:1") as executor:
        yield executor


def last_attempt(url: str, future: Future[None]) -> AttemptView:
    with pytest.raises(JobFailed):
        future.result(30)
    assert isinstance(future, DurableFuture)
    with closing(open_store(url)) as store:
        return store.attempts(future.job_id)[-1]


def test_a_killed_child_leaves_its_signal_and_what_it_held(
    url: str, one_child: DurableExecutor
) -> None:
    view = last_attempt(url, one_child.submit(hold_and_die, LARGE, KILL))

    assert view.signal == signal.SIGKILL
    assert view.peak_memory is not None
    assert LARGE < view.peak_memory < LARGE + SMALL


def test_a_child_that_leaves_by_itself_has_no_signal(url: str, one_child: DurableExecutor) -> None:
    view = last_attempt(url, one_child.submit(leave, 3))

    assert view.signal is None
    assert view.peak_memory is not None
    assert 0 < view.peak_memory < SMALL


def test_a_task_that_raises_has_held_this_and_no_signal(
    url: str, one_child: DurableExecutor
) -> None:
    view = last_attempt(url, one_child.submit(hold_and_fail, LARGE))

    assert view.signal is None
    assert view.peak_memory is not None
    assert LARGE < view.peak_memory < LARGE + SMALL


def test_what_an_earlier_job_of_the_child_has_held_is_not_counted(
    url: str, one_child: DurableExecutor
) -> None:
    one_child.submit(hold, LARGE).result(30)

    failed = last_attempt(url, one_child.submit(hold_and_fail, 1))
    one_child.submit(hold, LARGE).result(30)
    killed = last_attempt(url, one_child.submit(hold_and_die, 1, FAULT))

    assert failed.peak_memory is not None
    assert killed.peak_memory is not None
    assert max(failed.peak_memory, killed.peak_memory) < SMALL
    assert killed.signal == signal.SIGSEGV


def test_a_job_that_was_killed_for_its_timeout_says_so(
    url: str, one_child: DurableExecutor
) -> None:
    one_child.submit(hold, 1).result(30)

    view = last_attempt(url, one_child.submit(hold_and_stay, LARGE))

    assert view.error is not None
    assert (view.outcome, view.error.type) == ("failed", "TimeoutError")
    assert view.signal == signal.SIGKILL
    assert view.peak_memory is not None
    assert LARGE < view.peak_memory < LARGE + SMALL


def test_a_job_that_was_killed_for_its_memory_says_how_much_it_was(
    url: str, one_child: DurableExecutor, tmp_path: Path
) -> None:
    view = last_attempt(url, one_child.submit(hold_too_much, str(tmp_path / "never")))

    assert view.signal == signal.SIGKILL
    assert view.peak_memory is not None
    assert view.peak_memory > 300 * MIB


def test_a_coroutine_shares_its_child_so_nobody_knows(url: str, one_child: DurableExecutor) -> None:
    one_child.submit(hold, LARGE).result(30)

    view = last_attempt(url, one_child.submit(fail_in_coroutine))

    assert (view.signal, view.peak_memory) == (None, None)


def test_on_threads_nobody_knows_whose_memory_it_is(url: str) -> None:
    with DurableExecutor(url, workers="threads:1") as executor:
        view = last_attempt(url, executor.submit(hold_and_fail, 1))

    assert (view.signal, view.peak_memory) == (None, None)
