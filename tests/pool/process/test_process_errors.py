"""Errors of calls on child processes: they always arrive, and cost one call."""

import signal
import threading
from collections.abc import Callable
from concurrent import futures
from functools import partial
from typing import Any

import calls
import pytest

from lightwork.errors import RemoteError, WorkerLost
from lightwork.pool.call.options import CallOptions
from lightwork.pool.process.executor import ProcessExecutor
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30


def is_healthy(pool: ProcessExecutor) -> bool:
    return [pool.submit(calls.double, n).result(WAIT) for n in range(20)] == list(range(0, 40, 2))


# --- errors


def test_an_exception_arrives_with_its_remote_traceback(pool: ProcessExecutor) -> None:
    error = pool.submit(calls.fail, "no").exception(WAIT)

    assert isinstance(error, ValueError)
    assert error.args == ("no",)
    assert "in fail" in str(error.__cause__)


def test_an_exception_that_cannot_be_loaded_arrives_as_remote_error(
    pool: ProcessExecutor,
) -> None:
    error = pool.submit(calls.raise_odd).exception(WAIT)

    assert isinstance(error, RemoteError)
    assert (error.error_type, error.error_text) == ("calls.OddError", "1 and 2")
    assert is_healthy(pool)


def test_an_exception_that_cannot_be_pickled_arrives_as_remote_error(
    pool: ProcessExecutor,
) -> None:
    error = pool.submit(calls.raise_unpicklable).exception(WAIT)

    assert isinstance(error, RemoteError)
    assert error.error_text == "holds a lock"
    assert is_healthy(pool)


def test_arguments_that_cannot_be_pickled_fail_their_call_only(pool: ProcessExecutor) -> None:
    future = pool.submit(calls.double, threading.Lock())  # type: ignore[call-overload]

    assert isinstance(future.exception(WAIT), TypeError)
    assert is_healthy(pool)


def test_a_result_that_cannot_be_pickled_fails_its_call_only(pool: ProcessExecutor) -> None:
    assert isinstance(pool.submit(calls.return_lock).exception(WAIT), TypeError)
    assert is_healthy(pool)


def test_each_future_has_an_exception_of_its_own(pool: ProcessExecutor) -> None:
    found = [pool.submit(calls.fail, "no").exception(WAIT) for _ in range(3)]

    assert len({id(error) for error in found}) == 3


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (calls.sys_exit, SystemExit),
        (calls.raise_keyboard_interrupt, KeyboardInterrupt),
    ],
)
def test_an_exit_as_an_exception_is_the_outcome_of_the_call(
    single: ProcessExecutor, call: Callable[[], Any], kind: type[BaseException]
) -> None:
    before = single.submit(calls.pid).result(WAIT)

    assert isinstance(single.submit(call).exception(WAIT), kind)
    assert single.submit(calls.pid).result(WAIT) == before


@pytest.mark.parametrize(
    ("call", "exitcode"),
    [
        (calls.exit_now, 3),
        (partial(calls.exit_now, 0), 0),
        (calls.segfault, -signal.SIGSEGV),
        (calls.kill_myself, -signal.SIGKILL),
        (partial(calls.kill_myself, signal.SIGTERM), -signal.SIGTERM),
        (partial(calls.kill_myself, signal.SIGINT), -signal.SIGINT),
    ],
)
def test_a_call_that_ends_its_child_is_lost_alone(
    pool: ProcessExecutor, call: Callable[[], Any], exitcode: int
) -> None:
    others = [pool.submit(calls.double, n) for n in range(50)]
    guilty = pool.submit(call)
    others += [pool.submit(calls.double, n) for n in range(50, 100)]

    error = guilty.exception(WAIT)

    assert isinstance(error, WorkerLost)
    assert isinstance(error, futures.process.BrokenProcessPool)
    assert error.exitcode == exitcode
    assert [future.result(WAIT) for future in others] == list(range(0, 200, 2))


ACTS = {
    "error": (calls.raise_error, (ArithmeticError,)),
    "exit": (calls.raise_system_exit, (SystemExit, RemoteError)),
    "crash": (calls.exit_status, (WorkerLost,)),
}


@pytest.mark.parametrize("act", ACTS)
def test_trouble_when_arguments_are_loaded_is_the_calls_own(
    pool: ProcessExecutor, act: str
) -> None:
    function, kinds = ACTS[act]

    future = pool.submit(calls.pid, calls.FailsWhenLoaded(function))

    assert isinstance(future.exception(WAIT), kinds)
    assert is_healthy(pool)


@pytest.mark.parametrize("act", ACTS)
def test_trouble_when_a_result_is_pickled_is_the_calls_own(pool: ProcessExecutor, act: str) -> None:
    function, kinds = ACTS[act]

    future = pool.submit(calls.make_result_that_fails_when_pickled, function)

    assert isinstance(future.exception(WAIT), kinds)
    assert is_healthy(pool)


@pytest.mark.parametrize("act", ["error", "exit"])
def test_trouble_when_a_result_is_loaded_is_the_calls_own(pool: ProcessExecutor, act: str) -> None:
    function, kinds = ACTS[act]

    future = pool.submit(calls.make_result_that_fails_when_loaded, function)

    assert isinstance(future.exception(WAIT), kinds)
    assert is_healthy(pool)


def test_an_error_when_arguments_are_pickled_is_the_calls_own(pool: ProcessExecutor) -> None:
    future = pool.submit(calls.pid, calls.FailsWhenPickled(calls.raise_error))

    assert isinstance(future.exception(WAIT), ArithmeticError)
    assert is_healthy(pool)


def test_an_exit_when_arguments_are_pickled_is_the_submitters(pool: ProcessExecutor) -> None:
    with pytest.raises(SystemExit):
        pool.submit(calls.pid, calls.FailsWhenPickled(calls.raise_system_exit))

    assert is_healthy(pool)


def test_a_callback_that_exits_does_not_stop_the_pool(
    pool: ProcessExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    called = threading.Event()
    future = pool.submit(calls.sleep, 0.05)
    future.add_done_callback(calls.raise_system_exit)
    future.add_done_callback(lambda _: called.set())

    assert called.wait(WAIT)
    assert is_healthy(pool)
    assert "future_callback_failed" in caplog.text


def test_a_progress_listener_that_exits_does_not_stop_the_pool(
    pool: ProcessExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    options = CallOptions(on_progress=calls.raise_system_exit)

    assert pool.start_call(calls.report, (1,), {}, options).result(WAIT)
    assert is_healthy(pool)
    assert "on_progress_failed" in caplog.text


def test_a_callback_may_submit(pool: ProcessExecutor) -> None:
    second: list[futures.Future[int]] = []
    first = pool.submit(calls.sleep, 0.05)
    first.add_done_callback(lambda _: second.append(pool.submit(calls.double, 3)))

    wait_until(lambda: second, "the callback has submitted")

    assert second[0].result(WAIT) == 6
