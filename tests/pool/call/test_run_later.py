"""Later on executors of this machine: a call that asks for it runs again, and nothing has failed."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import retry_calls

from lightwork.pool.executor.executor import Executor
from lightwork.pool.executor.inline import InlineExecutor
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.pool.thread.interpreter import InterpreterExecutor
from lightwork.pool.thread.subinterpreter import why_no_interpreters
from lightwork.retry import Later
from lightwork.tasks.task import task

pytestmark = pytest.mark.process

WAIT = 60


@pytest.fixture(params=["threads", "interpreters", "processes", "inline"])
def pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "interpreters" and why_no_interpreters():
        pytest.skip(why_no_interpreters())
    kinds = {"threads": ThreadExecutor, "interpreters": InterpreterExecutor}
    kind = {**kinds, "processes": ProcessExecutor}.get(request.param)
    with InlineExecutor() if kind is None else kind(2) as executor:
        yield executor


def test_a_call_that_asks_for_it_is_run_later_and_uses_no_retry(
    pool: Executor, tmp_path: Path
) -> None:
    snooze_until = task(retries=1)(retry_calls.snooze_until)

    assert pool.submit(snooze_until, str(tmp_path / "ran"), 4).result(WAIT) == 4

    assert retry_calls.attempts(tmp_path / "ran") == [1, 2, 3, 4]


def test_a_coroutine_is_run_later_too(pool: Executor, tmp_path: Path) -> None:
    snooze_until = task(retries=1)(retry_calls.snooze_until_async)

    assert pool.submit(snooze_until, str(tmp_path / "ran"), 3).result(WAIT) == 3


def test_a_call_is_not_run_before_the_time_that_it_named(pool: Executor, tmp_path: Path) -> None:
    started = time.monotonic()

    at = pool.submit(task(retries=1)(retry_calls.snooze_for), 0.2, str(tmp_path / "ran"))

    assert at.result(WAIT) >= started + 0.2


def test_without_retries_the_future_has_it_and_says_why(pool: Executor, tmp_path: Path) -> None:
    error = pool.submit(retry_calls.snooze_until, str(tmp_path / "ran"), 2).exception(WAIT)

    assert isinstance(error, Later)
    assert error.seconds == 0.01
    assert "only for tasks that declare retries" in str(error)
