"""Retries of local calls: the same rules on threads, on processes and inline."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, wait
from pathlib import Path

import pytest
import retry_calls

from lightwork.errors import UsageError
from lightwork.model import Backoff
from lightwork.pool.call.future import Future
from lightwork.pool.executor.executor import Executor
from lightwork.pool.executor.inline import InlineExecutor
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.pool.thread.interpreter import InterpreterExecutor
from lightwork.pool.thread.subinterpreter import why_no_interpreters
from lightwork.tasks.task import task
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30
AT_ONCE = Backoff(base=0.0)
HOURS = Backoff(base=1e4, cap=1e4)


@pytest.fixture(params=["threads", "interpreters", "processes", "inline"])
def pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with _open(request.param) as executor:
        yield executor


@pytest.fixture(params=["threads", "interpreters", "processes"])
def waiting_pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    executor = _open(request.param)
    yield executor
    executor.shutdown(cancel_futures=True)


def _open(kind: str) -> Executor:
    if kind == "inline":
        return InlineExecutor()
    if kind == "interpreters":
        if why_no_interpreters():
            pytest.skip(why_no_interpreters())
        return InterpreterExecutor(2)
    return ThreadExecutor(2) if kind == "threads" else ProcessExecutor(2)


def test_a_call_that_fails_is_run_again_until_it_succeeds(pool: Executor, tmp_path: Path) -> None:
    fail_until = task(retries=3, backoff=AT_ONCE)(retry_calls.fail_until)

    assert pool.submit(fail_until, str(tmp_path / "ran"), 3).result(WAIT) == 3

    assert retry_calls.attempts(tmp_path / "ran") == [1, 2, 3]


def test_the_last_error_says_how_many_attempts_there_were(pool: Executor, tmp_path: Path) -> None:
    fail_until = task(retries=2, backoff=AT_ONCE)(retry_calls.fail_until)

    error = pool.submit(fail_until, str(tmp_path / "ran"), 9).exception(WAIT)

    assert isinstance(error, retry_calls.OddestError)
    assert str(error) == "attempt 3"
    assert error.__notes__ == ["This is the error of attempt 3, the last."]


def test_without_retries_an_error_has_no_note(pool: Executor, tmp_path: Path) -> None:
    error = pool.submit(retry_calls.fail_until, str(tmp_path / "ran"), 9).exception(WAIT)

    assert not hasattr(error, "__notes__")
    assert retry_calls.attempts(tmp_path / "ran") == [0]


def test_only_errors_that_are_named_are_tried_again(pool: Executor, tmp_path: Path) -> None:
    named = task(retries=1, backoff=AT_ONCE, retry_on=(retry_calls.OddError,))
    other = task(retries=1, backoff=AT_ONCE, retry_on=(OSError,))

    first = pool.submit(named(retry_calls.fail_until), str(tmp_path / "named"), 9)
    second = pool.submit(other(retry_calls.fail_until), str(tmp_path / "other"), 9)

    assert str(first.exception(WAIT)) == "attempt 2"
    assert str(second.exception(WAIT)) == "attempt 1"


def test_a_call_with_large_arguments_is_run_again(pool: Executor, tmp_path: Path) -> None:
    fail_until = task(retries=5, backoff=AT_ONCE)(retry_calls.fail_until_many)
    data = b"\1" * 1_000_000

    calls = [pool.submit(fail_until, str(tmp_path / f"ran{n}"), 5, data) for n in range(4)]

    assert [call.result(WAIT) for call in calls] == [2] * 4


def test_each_item_of_a_map_is_run_again_by_itself(pool: Executor, tmp_path: Path) -> None:
    fail_for = task(retries=1, backoff=AT_ONCE)(retry_calls.fail_for)

    assert list(pool.map(fail_for, [str(tmp_path / "ran")] * 10, range(10))) == list(range(10))

    ran = [retry_calls.attempts(tmp_path / f"ran-{n}") for n in range(10)]
    assert ran == [[1], [1, 2]] * 5


def test_a_map_refuses_chunks_of_calls_with_retries(pool: Executor) -> None:
    with pytest.raises(UsageError, match="retries or on_progress, runs one item per call"):
        pool.map(task(retries=1)(abs), range(10), chunksize=5)


def test_the_delay_is_kept(pool: Executor, tmp_path: Path) -> None:
    backoff = Backoff(base=0.2, jitter=0.0)
    fail_until = task(retries=1, backoff=backoff)(retry_calls.fail_until)
    started = time.monotonic()

    pool.submit(fail_until, str(tmp_path / "ran"), 2).result(WAIT)

    assert time.monotonic() - started >= 0.2


def test_a_call_that_waits_for_its_next_attempt_can_be_cancelled(
    waiting_pool: Executor, tmp_path: Path
) -> None:
    fail_until = task(retries=1, backoff=HOURS)(retry_calls.fail_until)
    future = waiting_pool.submit(fail_until, str(tmp_path / "ran"), 2)
    wait_until(lambda: retry_calls.attempts(tmp_path / "ran"), "the first attempt has begun")
    wait_until(future.cancel, "it is over, and the call cancelled")

    with pytest.raises(CancelledError):
        future.result(0)
    assert wait([future], WAIT).done == {future}
    waiting_pool.shutdown()
    assert retry_calls.attempts(tmp_path / "ran") == [1]


def test_a_call_that_was_asked_to_stop_is_not_run_again(
    waiting_pool: Executor, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    fail = task(retries=9, backoff=AT_ONCE)(retry_calls.fail_when_cancelled)
    future: Future[object] = waiting_pool.submit(fail, str(ran))
    wait_until(lambda: retry_calls.attempts(ran), "it runs")

    future.cancel(running="ask")

    assert isinstance(future.exception(WAIT), retry_calls.OddError)
    assert retry_calls.attempts(ran) == [1]


def test_shutdown_waits_for_attempts_that_are_to_come(
    waiting_pool: Executor, tmp_path: Path
) -> None:
    backoff = Backoff(base=0.05, factor=1.0, jitter=0.0)
    fail_until = task(retries=3, backoff=backoff)(retry_calls.fail_until)

    futures = [waiting_pool.submit(fail_until, str(tmp_path / f"{n}"), 4) for n in range(5)]
    waiting_pool.shutdown(wait=True)

    assert [future.result(0) for future in futures] == [4] * 5


def test_shutdown_can_drop_what_waits_for_its_next_attempt(
    waiting_pool: Executor, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    fail_until = task(retries=1, backoff=HOURS)(retry_calls.fail_until)
    future = waiting_pool.submit(fail_until, str(ran), 2)
    wait_until(lambda: retry_calls.attempts(ran) and not future.running(), "it waits")

    waiting_pool.shutdown(wait=True, cancel_futures=True)

    assert future.cancelled() or isinstance(future.exception(0), retry_calls.OddestError)


def test_a_map_that_was_left_runs_nothing_again(waiting_pool: Executor, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    fail = task(retries=9, backoff=HOURS)(retry_calls.fail_when_cancelled)
    results: Iterator[object] = waiting_pool.map(fail, [str(ran)] * 2, timeout=0)
    wait_until(lambda: retry_calls.attempts(ran) == [1, 1], "both run")

    with pytest.raises(TimeoutError):
        next(results)
    waiting_pool.shutdown(wait=True)

    assert retry_calls.attempts(ran) == [1, 1]


def test_other_calls_run_while_one_waits_for_its_next_attempt(tmp_path: Path) -> None:
    fail_until = task(retries=1, backoff=HOURS)(retry_calls.fail_until)

    for kind in (ThreadExecutor, ProcessExecutor):
        executor = kind(1)
        waiting = executor.submit(fail_until, str(tmp_path / kind.__name__), 2)
        assert executor.submit(abs, -1).result(WAIT) == 1
        executor.shutdown(cancel_futures=True)
        assert waiting.done()


def test_no_thread_is_made_for_each_waiting_call(tmp_path: Path) -> None:
    fail_until = task(retries=1, backoff=HOURS)(retry_calls.fail_until)
    before = threading.active_count()
    executor = ThreadExecutor(2)

    futures = [executor.submit(fail_until, str(tmp_path / f"{n}"), 2) for n in range(50)]
    wait_until(lambda: len(list(tmp_path.iterdir())) == 50, "all have failed once")

    # Two that run calls and one that keeps the time.
    assert threading.active_count() <= before + 3
    executor.shutdown(cancel_futures=True)
    assert all(future.done() for future in futures)


def test_an_executor_that_nobody_holds_still_runs_them_again(tmp_path: Path) -> None:
    backoff = Backoff(base=0.05, factor=1.0, jitter=0.0)
    fail_until = task(retries=3, backoff=backoff)(retry_calls.fail_until)

    for kind in (ThreadExecutor, ProcessExecutor):
        future = kind(1).submit(fail_until, str(tmp_path / kind.__name__), 4)
        assert future.result(WAIT) == 4
