"""Beginning and end: of children, executors, fork server and whole programs."""

import array
import contextlib
import fcntl
import gc
import multiprocessing
import os
import signal
import termios
import threading
import time
from concurrent import futures
from pathlib import Path

import calls
import psutil
import pytest
from programs import is_alive, lines

from lightwork.errors import PoolError, UsageError, WorkerLost
from lightwork.pool.child.fork_protocol import DEEPEST
from lightwork.pool.link import launch
from lightwork.pool.process.executor import ProcessExecutor
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30


def descendants() -> set[int]:
    return {process.pid for process in psutil.Process().children(recursive=True)}


def descriptors() -> set[str]:
    found = set()
    for fd in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(f"{fd} {fd.readlink()}")
    return found


# --- children that are killed


def test_one_killed_child_loses_exactly_its_call(tmp_path: Path) -> None:
    here = tmp_path / "here"
    with ProcessExecutor(4) as pool:
        found = [pool.submit(calls.mark_and_sleep, str(here), 0.05) for _ in range(200)]
        wait_until(lambda: len(lines(here)) >= 20, "twenty calls have begun")
        os.kill(int(lines(here)[-1]), signal.SIGKILL)
        futures.wait(found, timeout=WAIT)
        errors = [error for future in found if (error := future.exception(0))]

    assert len(errors) == 1
    assert isinstance(errors[0], WorkerLost)
    assert errors[0].exitcode == -signal.SIGKILL
    assert len(lines(here)) == 200


def test_all_other_calls_end_as_soon_as_without_the_death() -> None:
    with ProcessExecutor(4) as pool:
        found = [pool.submit(calls.sleep, 0.02) for _ in range(200)]
        wait_until(lambda: sum(future.done() for future in found) > 20, "some calls have ended")
        os.kill(pool._pool.pids()[0], signal.SIGKILL)
        started = time.monotonic()
        futures.wait(found, timeout=WAIT)
        took = time.monotonic() - started

    assert took < 0.02 * 180 / 4 + 1


def test_an_idle_child_that_is_killed_is_replaced(pool: ProcessExecutor) -> None:
    before = pool.submit(calls.pid).result(WAIT)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: before not in pool._pool.pids(), "the death was noticed")

    assert pool.submit(calls.pid).result(WAIT) != before


def test_a_call_given_to_a_child_that_is_already_dead_runs_elsewhere() -> None:
    with ProcessExecutor(1) as pool:
        for _ in range(30):
            os.kill(pool.submit(calls.pid).result(WAIT), signal.SIGKILL)

            assert pool.submit(calls.double, 3).result(WAIT) == 6


def test_a_child_killed_while_it_writes_a_large_error_loses_only_that(
    pool: ProcessExecutor,
) -> None:
    with pool._pool._lock:
        # The dispatcher cannot read meanwhile: the pipe stays full.
        future: futures.Future[None] = pool.submit(calls.fail, "x" * (10 << 20))
        pool._pool._scheduler.hand_out(may_start=True)
        [link] = pool._pool._children
        wait_until(lambda: link.started()[0] == 1, "the call has begun")
        wait_until(lambda: is_full(link.fileno()), "the pipe is full")
    wait_until(pool._pool.pids, "the child is known")
    os.kill(pool._pool.pids()[0], signal.SIGKILL)

    assert isinstance(future.exception(WAIT), WorkerLost | ValueError)
    assert pool.submit(calls.double, 4).result(WAIT) == 8


def is_full(pipe: int) -> bool:
    held = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, held)
    # The first page may hold less than a page.
    return held[0] > fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) - 8192


def test_a_stopped_child_delays_only_its_own_call(pool: ProcessExecutor, tmp_path: Path) -> None:
    here, go = tmp_path / "here", tmp_path / "go"
    first = pool.submit(calls.mark_and_wait_for, str(here), str(go), "late")
    wait_until(lambda: lines(here), "the call runs")
    stopped = int(lines(here)[0])
    os.kill(stopped, signal.SIGSTOP)
    go.touch()

    found = [pool.submit(calls.double, n).result(WAIT) for n in range(50)]
    was_done = first.done()
    os.kill(stopped, signal.SIGCONT)

    assert found == list(range(0, 100, 2))
    assert not was_done
    assert first.result(WAIT) == "late"


def test_the_programs_of_a_killed_child_are_killed_too(
    pool: ProcessExecutor, tmp_path: Path
) -> None:
    told = tmp_path / "pids"
    pool.submit(calls.start_program, str(told))
    wait_until(lambda: len(lines(told)) == 2, "the program runs")
    program, child = map(int, lines(told))
    os.kill(child, signal.SIGKILL)

    wait_until(lambda: not is_alive(program), "the program has ended", within=2)


# --- the fork server


def server_pid() -> int:
    assert launch._server is not None
    return launch._server.pid


def test_a_killed_fork_server_costs_the_running_calls_only(tmp_path: Path) -> None:
    here = tmp_path / "here"
    with ProcessExecutor(2) as pool:
        running = [pool.submit(calls.mark_and_sleep, str(here), 1000) for _ in range(2)]
        wait_until(lambda: len(lines(here)) == 2, "both run")
        waiting = [pool.submit(calls.double, n) for n in range(20)]
        os.kill(server_pid(), signal.SIGKILL)

        assert all(isinstance(future.exception(WAIT), WorkerLost) for future in running)
        assert [future.result(WAIT) for future in waiting] == list(range(0, 40, 2))


def test_a_new_pool_gets_a_new_server_when_the_old_one_was_killed() -> None:
    with ProcessExecutor(1) as first:
        first.submit(calls.double, 1).result(WAIT)
    old = server_pid()
    os.kill(old, signal.SIGKILL)

    with ProcessExecutor(1) as second:
        assert second.submit(calls.double, 2).result(WAIT) == 4
    assert not psutil.pid_exists(old)


def test_children_whose_pipes_stay_open_hold_up_a_pool_for_a_second_in_all(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with ProcessExecutor(4) as pool:
        running = [pool.submit(calls.fork_and_sleep, str(pids), 1000) for _ in range(4)]
        wait_until(lambda: len(lines(pids)) == 4, "each child has forked a process of its own")
        began = time.monotonic()
        os.kill(server_pid(), signal.SIGKILL)

        assert all(isinstance(future.exception(WAIT), WorkerLost) for future in running)
        took = time.monotonic() - began
    for pid in lines(pids):
        os.kill(int(pid), signal.SIGKILL)
    # Four times a second before.
    assert took < 3


def test_an_executor_that_cannot_be_made_leaves_no_descriptor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launch, "level", [DEEPEST])
    queue = multiprocessing.get_context("spawn").SimpleQueue()
    before = descriptors()

    with pytest.raises(UsageError, match="deep") as caught:
        ProcessExecutor(1, initializer=print, initargs=(queue,))

    assert caught.value is not None
    assert descriptors() == before


def test_pools_share_one_server() -> None:
    with ProcessExecutor(1) as first, ProcessExecutor(1) as second:
        first.submit(calls.double, 1).result(WAIT)
        before = server_pid()
        second.submit(calls.double, 1).result(WAIT)

        assert server_pid() == before


# --- shutdown


def test_everything_is_given_back_after_shutdown() -> None:
    with ProcessExecutor(1) as warm:
        warm.submit(calls.double, 1).result(WAIT)
    before = descriptors(), descendants(), threading.active_count()

    for _ in range(3):
        with ProcessExecutor(3) as pool:
            pool.submit(calls.exit_now).exception(WAIT)
            list(pool.map(calls.double, range(100)))
            pool.submit(calls.blob, 1 << 20).result(WAIT)

    assert (descriptors(), descendants(), threading.active_count()) == before


def test_everything_is_given_back_by_an_executor_that_was_never_used() -> None:
    with ProcessExecutor(1) as warm:
        warm.submit(calls.double, 1).result(WAIT)
    before = descriptors()

    ProcessExecutor(1).shutdown()
    dropped = ProcessExecutor(1)
    del dropped
    gc.collect()

    assert descriptors() == before


def test_shutdown_runs_what_was_submitted() -> None:
    pool = ProcessExecutor(1)
    found = [pool.submit(calls.sleep, 0.01, n) for n in range(20)]

    pool.shutdown()

    assert [future.result(0) for future in found] == list(range(20))


def test_shutdown_can_cancel_what_has_not_begun(tmp_path: Path) -> None:
    here, go = tmp_path / "here", tmp_path / "go"
    pool = ProcessExecutor(1)
    first = pool.submit(calls.mark_and_wait_for, str(here), str(go), "kept")
    others = [pool.submit(calls.double, n) for n in range(20)]
    wait_until(lambda: lines(here), "the first call runs")

    pool.shutdown(wait=False, cancel_futures=True)
    go.touch()

    assert first.result(WAIT) == "kept"
    wait_until(lambda: all(other.cancelled() for other in others), "the others are cancelled")


def test_submitting_after_shutdown_is_refused(pool: ProcessExecutor) -> None:
    pool.shutdown()

    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(calls.double, 1)


def test_shutdown_may_be_called_again_and_from_many_threads(pool: ProcessExecutor) -> None:
    pool.submit(calls.double, 1).result(WAIT)
    threads = [threading.Thread(target=pool.shutdown) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)

    assert not any(thread.is_alive() for thread in threads)


def test_submitting_while_another_thread_shuts_down_never_hangs() -> None:
    for _ in range(20):
        pool = ProcessExecutor(1)
        pool.submit(calls.double, 1).result(WAIT)
        found: list[futures.Future[int]] = []

        def submit(pool: ProcessExecutor = pool, found: list[futures.Future[int]] = found) -> None:
            with contextlib.suppress(RuntimeError):
                while True:
                    found.append(pool.submit(calls.double, 1))

        thread = threading.Thread(target=submit)
        thread.start()
        wait_until(lambda found=found: found, "calls come in")  # type: ignore[misc]
        pool.shutdown()
        thread.join(WAIT)

        assert not futures.wait(found, timeout=WAIT).not_done


def test_cancelling_the_last_waiting_call_lets_a_closed_pool_end(tmp_path: Path) -> None:
    here, go = tmp_path / "here", tmp_path / "go"
    pool = ProcessExecutor(1)
    pool.submit(calls.mark_and_wait_for, str(here), str(go))
    second = pool.submit(calls.double, 1)
    wait_until(lambda: lines(here), "the first call runs")
    pool.shutdown(wait=False)

    second.cancel()
    go.touch()

    wait_until(lambda: not pool._thread.is_alive(), "the dispatcher has ended")


def test_killing_the_workers_loses_running_calls_and_cancels_the_rest(tmp_path: Path) -> None:
    here = tmp_path / "here"
    pool = ProcessExecutor(2)
    running = [pool.submit(calls.mark_and_sleep, str(here), 1000) for _ in range(2)]
    waiting = [pool.submit(calls.double, n) for n in range(5)]
    wait_until(lambda: len(lines(here)) == 2, "both run")

    pool.kill_workers()
    pool.shutdown()

    assert all(isinstance(future.exception(0), WorkerLost) for future in running)
    assert all(future.cancelled() for future in waiting)


def test_a_dropped_executor_ends_its_children_and_its_thread() -> None:
    pool = ProcessExecutor(2)
    future = pool.submit(calls.sleep, 0.1, "done")
    pids = pool._pool.pids
    wait_until(pids, "a child runs")
    child, thread = pids()[0], pool._thread
    del pool, pids
    gc.collect()

    assert future.result(WAIT) == "done"
    wait_until(lambda: not thread.is_alive(), "the dispatcher has ended")
    assert not is_alive(child)


def test_finished_calls_keep_nothing_alive(pool: ProcessExecutor) -> None:
    class Result:
        pass

    gc.collect()
    gc.disable()
    try:
        future = pool.submit(calls.blob, 10)
        future.result(WAIT)
        wait_until(lambda: future._call is None, "the call is forgotten")
        held = [thing for thing in gc.get_referrers(future) if not hasattr(thing, "f_code")]
        call_count = sum(type(thing).__name__ == "Call" for thing in gc.get_objects())
    finally:
        gc.enable()

    assert not [thing for thing in held if type(thing).__name__ == "Call"]
    assert call_count == 0


def test_the_garbage_collector_may_cancel_and_submit_anywhere(pool: ProcessExecutor) -> None:
    found: list[futures.Future[int]] = []

    class Cycle:
        def __init__(self) -> None:
            self.me = self
            self.future = pool.submit(calls.double, 1)

        def __del__(self) -> None:
            self.future.cancel()
            with contextlib.suppress(RuntimeError):
                found.append(pool.submit(calls.double, 2))

    old = gc.get_threshold()
    gc.set_threshold(7)
    try:
        for n in range(500):
            Cycle()
            found.append(pool.submit(calls.double, n))
        done = futures.wait(list(found), timeout=WAIT)
    finally:
        gc.set_threshold(*old)
        gc.collect()

    assert not done.not_done


# --- a pool that fails


def test_a_failing_dispatcher_fails_every_future(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here = tmp_path / "here"
    pool = ProcessExecutor(1)
    found = [pool.submit(calls.mark_and_sleep, str(here), 1000) for _ in range(5)]
    wait_until(lambda: lines(here), "the first call runs")
    # The next look at the poller raises, as a bug in the dispatcher would.
    pool._pool._scheduler._limits = None  # type: ignore[assignment]
    pool._pool.poller.wake()

    assert all(isinstance(future.exception(WAIT), PoolError) for future in found)
    with pytest.raises(PoolError):
        pool.submit(calls.double, 1)
    pool.shutdown()
    assert "dispatcher_failed" in caplog.text
