"""Retries of local calls where the pool ended the attempt, and at the end of the program."""

import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
import retry_calls

from lightwork.errors import WorkerLost
from lightwork.model import Backoff
from lightwork.pool.call.options import CallOptions, call_options
from lightwork.pool.call.retrying import after_error, after_pool_error
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.tasks.task import task

pytestmark = pytest.mark.process

WAIT = 30
AT_ONCE = Backoff(base=0.0)


def test_a_timeout_is_per_attempt_and_a_failure(tmp_path: Path) -> None:
    hang = task(retries=1, backoff=AT_ONCE, timeout=0.5)(retry_calls.hang_once)

    with ProcessExecutor(1) as pool:
        assert pool.submit(hang, str(tmp_path / "ran")).result(WAIT) == "ran"

    assert retry_calls.attempts(tmp_path / "ran") == [1, 2]


@pytest.mark.parametrize("retry_on", [(), (Exception,), (RuntimeError,)])
def test_a_crash_is_not_silently_run_again(
    retry_on: tuple[type[BaseException], ...], tmp_path: Path
) -> None:
    die = task(retries=3, backoff=AT_ONCE, retry_on=retry_on)(retry_calls.die_once)

    with ProcessExecutor(1) as pool, pytest.raises(WorkerLost):
        pool.submit(die, str(tmp_path / "ran")).result(WAIT)

    assert retry_calls.attempts(tmp_path / "ran") == [1]


@pytest.mark.parametrize("retry_on", [WorkerLost, BrokenProcessPool])
def test_a_crash_is_run_again_where_it_is_named(
    retry_on: type[BaseException], tmp_path: Path
) -> None:
    die = task(retries=3, backoff=AT_ONCE, retry_on=(retry_on,))(retry_calls.die_once)

    with ProcessExecutor(1) as pool:
        assert pool.submit(die, str(tmp_path / "ran")).result(WAIT) == "ran"

    assert retry_calls.attempts(tmp_path / "ran") == [1, 2]


def test_a_thread_that_is_late_is_not_joined_by_a_second_attempt(tmp_path: Path) -> None:
    fail = task(retries=3, backoff=AT_ONCE, timeout=0.05)(retry_calls.fail_when_cancelled)

    with ThreadExecutor(1) as pool, pytest.raises(TimeoutError):
        pool.submit(fail, str(tmp_path / "ran")).result(WAIT)

    assert retry_calls.attempts(tmp_path / "ran") == [1]


def test_a_lost_worker_of_another_pool_is_an_error_like_others() -> None:
    options = call_options(task(retries=1)(abs), "submit")

    assert after_error(options, WorkerLost("elsewhere")) is not None
    assert after_pool_error(options, WorkerLost("here")) is None


def test_an_attempt_beyond_what_a_packet_can_say_still_runs() -> None:
    options = CallOptions(attempt=100_000)

    with ProcessExecutor(1) as pool:
        assert pool.start_call(retry_calls.attempt, (), {}, options).result(WAIT) == 65_535


def test_a_program_ends_when_its_last_attempt_has(tmp_path: Path) -> None:
    program = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import retry_calls, lightwork as lw
backoff = lw.Backoff(base=0.05, factor=1.0)
fail_until = lw.task(retries=3, backoff=backoff)(retry_calls.fail_until)
if __name__ == "__main__":
    lw.executor("threads:1").submit(fail_until, {str(tmp_path / "threads")!r}, 4)
    lw.executor("processes:1").submit(fail_until, {str(tmp_path / "processes")!r}, 4)
"""

    subprocess.run([sys.executable, "-c", program], check=True, timeout=WAIT)

    assert retry_calls.attempts(tmp_path / "threads") == [1, 2, 3, 4]
    assert retry_calls.attempts(tmp_path / "processes") == [1, 2, 3, 4]
