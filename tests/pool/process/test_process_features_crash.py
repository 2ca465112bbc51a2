"""A child that crashes says where."""

import pickle
import signal

import calls
import feature_calls
import pytest

from lightwork.errors import WorkerLost
from lightwork.pool.memory.control_block import TRACE_SIZE
from lightwork.pool.process.executor import ProcessExecutor

pytestmark = pytest.mark.process

WAIT = 30
FAULTS = [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL]


def lost_by(function: object, *args: object) -> WorkerLost:
    with ProcessExecutor(1) as pool:
        error = pool.submit(function, *args).exception(WAIT)  # type: ignore[call-overload]
    assert isinstance(error, WorkerLost)
    return error


def test_a_crash_shows_the_line_that_crashed() -> None:
    lost = lost_by(calls.segfault)

    assert "Segmentation fault" in lost.traceback
    assert 'calls.py", line' in lost.traceback
    assert "in segfault" in lost.traceback
    assert lost.exitcode == -signal.SIGSEGV


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_leaves_a_traceback(fault: signal.Signals) -> None:
    lost = lost_by(calls.kill_myself, fault)

    assert "in kill_myself" in lost.traceback
    assert lost.exitcode == -fault


def test_the_traceback_is_part_of_the_text() -> None:
    lost = lost_by(calls.segfault)

    assert str(lost).endswith(f"only this call is lost\n{lost.traceback}")


def test_the_traceback_survives_pickling() -> None:
    lost = lost_by(calls.segfault)

    again = pickle.loads(pickle.dumps(lost))

    assert again.traceback == lost.traceback


@pytest.mark.parametrize("end", [calls.kill_myself, calls.exit_now])
def test_other_ends_leave_none(end: object) -> None:
    lost = lost_by(end)

    assert lost.traceback == ""
    assert str(lost).endswith("only this call is lost")


def test_a_long_traceback_is_cut() -> None:
    lost = lost_by(feature_calls.crash_deeply, 90)

    assert TRACE_SIZE // 2 < len(lost.traceback) <= TRACE_SIZE


def test_the_child_after_a_crash_has_a_traceback_of_its_own() -> None:
    with ProcessExecutor(1) as pool:
        first = pool.submit(calls.segfault).exception(WAIT)
        second = pool.submit(calls.kill_myself, signal.SIGABRT).exception(WAIT)

    assert isinstance(first, WorkerLost)
    assert isinstance(second, WorkerLost)
    assert "Segmentation fault" not in second.traceback
    assert "Aborted" in second.traceback


def test_results_larger_than_the_page_leave_the_trace_alone() -> None:
    with ProcessExecutor(1) as pool:
        for size in (1000, 30_000, 100_000):
            for _ in range(5):
                pool.submit(calls.blob, size).result(WAIT)
        lost = pool.submit(calls.segfault).exception(WAIT)

    assert isinstance(lost, WorkerLost)
    assert lost.traceback.startswith("Fatal Python error")
