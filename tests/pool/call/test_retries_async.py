"""Retries and delays of coroutine functions, on the event loops of threads and children."""

import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, wait
from pathlib import Path

import pytest
import retry_calls

from lightwork.model import Backoff
from lightwork.pool.executor.executor import Executor
from lightwork.pool.executor.inline import InlineExecutor
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.tasks.task import task
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30
AT_ONCE = Backoff(base=0.0)
HOURS = Backoff(base=1e4, cap=1e4)


@pytest.fixture(params=["threads", "processes", "inline"])
def pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "inline":
        executor: Executor = InlineExecutor()
    else:
        executor = ThreadExecutor(1) if request.param == "threads" else ProcessExecutor(1)
    with executor:
        yield executor


@pytest.fixture(params=["threads", "processes"])
def waiting_pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    executor = ThreadExecutor(1) if request.param == "threads" else ProcessExecutor(1)
    yield executor
    executor.shutdown(cancel_futures=True)


def test_a_coroutine_call_that_fails_is_run_again(pool: Executor, tmp_path: Path) -> None:
    fail_until = task(retries=3, backoff=AT_ONCE)(retry_calls.fail_until_async)

    assert pool.submit(fail_until, str(tmp_path / "ran"), 3).result(WAIT) == 3

    assert retry_calls.attempts(tmp_path / "ran") == [1, 2, 3]


def test_its_last_error_says_how_many_attempts_there_were(pool: Executor, tmp_path: Path) -> None:
    fail_until = task(retries=2, backoff=AT_ONCE)(retry_calls.fail_until_async)

    error = pool.submit(fail_until, str(tmp_path / "ran"), 9).exception(WAIT)

    assert isinstance(error, retry_calls.OddestError)
    assert error.__notes__ == ["This is the error of attempt 3, the last."]


def test_it_waits_for_its_delay(pool: Executor) -> None:
    now = task(delay=0.1)(retry_calls.now_async)
    submitted = time.monotonic()

    assert pool.submit(now).result(WAIT) - submitted >= 0.1


def test_it_can_be_cancelled_while_it_waits_for_its_next_attempt(
    waiting_pool: Executor, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    fail_until = task(retries=1, backoff=HOURS)(retry_calls.fail_until_async)
    future = waiting_pool.submit(fail_until, str(ran), 2)
    wait_until(lambda: retry_calls.attempts(ran), "the first attempt has begun")
    wait_until(future.cancel, "it is over, and the call cancelled")

    with pytest.raises(CancelledError):
        future.result(0)
    assert wait([future], WAIT).done == {future}
    waiting_pool.shutdown()
    assert retry_calls.attempts(ran) == [1]


def test_shutdown_waits_for_attempts_that_are_to_come(
    waiting_pool: Executor, tmp_path: Path
) -> None:
    backoff = Backoff(base=0.05, factor=1.0, jitter=0.0)
    fail_until = task(retries=3, backoff=backoff)(retry_calls.fail_until_async)

    futures = [waiting_pool.submit(fail_until, str(tmp_path / f"{n}"), 4) for n in range(5)]
    waiting_pool.shutdown(wait=True)

    assert [future.result(0) for future in futures] == [4] * 5


def test_shutdown_can_drop_what_waits(waiting_pool: Executor, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    fail_until = task(retries=1, backoff=HOURS)(retry_calls.fail_until_async)
    again = waiting_pool.submit(fail_until, str(ran), 2)
    late = waiting_pool.submit(task(delay=1e4)(retry_calls.now_async))
    wait_until(lambda: retry_calls.attempts(ran) and not again.running(), "it waits")

    waiting_pool.shutdown(wait=True, cancel_futures=True)

    assert late.cancelled()
    assert again.done()


def test_a_thread_loop_does_not_run_again_what_was_late(tmp_path: Path) -> None:
    hang = task(retries=3, backoff=AT_ONCE, timeout=0.05)(retry_calls.hang_async)

    with ThreadExecutor(1) as executor, pytest.raises(TimeoutError):
        executor.submit(hang, str(tmp_path / "ran")).result(WAIT)

    assert retry_calls.attempts(tmp_path / "ran") == [1]
