"""Time-outs and cancels in the worst moments: deaf, stopped, crowded, amid large data."""

import os
import signal
import threading
from collections.abc import Callable
from concurrent import futures
from functools import partial
from pathlib import Path
from typing import Any

import big
import calls
import psutil
import pytest
import scenario_calls

from lightwork.pool.call.options import CallOptions
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.tasks.task import Task, task
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30
MIB = 1 << 20


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def limited(fn: Callable[..., Any], timeout: float) -> Task[..., Any]:
    return task(timeout=timeout)(fn)


def doubles(pool: ProcessExecutor, count: int = 20) -> list[futures.Future[int]]:
    return [pool.submit(calls.double, n) for n in range(count)]


def are_doubles(found: list[futures.Future[int]]) -> bool:
    return [future.result(WAIT) for future in found] == [2 * n for n in range(len(found))]


def is_sent(future: futures.Future[Any]) -> bool:
    return future.running() or future.done()


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid)


# --- time-outs


def test_a_timeout_is_kept_of_a_call_that_is_given_as_the_dispatcher_goes_to_sleep(
    single: ProcessExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    single.start()
    poller = single._pool.poller
    announce = poller.announce
    given: list[futures.Future[Any]] = []

    def announce_late(until: float) -> None:
        if not given:
            submit = partial(single.submit, limited(calls.sleep, 0.1), 60)
            other = threading.Thread(target=lambda: given.append(submit()))
            other.start()
            other.join()
        announce(until)

    monkeypatch.setattr(poller, "announce", announce_late)
    poller.wake()
    wait_until(lambda: bool(given), "the dispatcher has been at it")

    with pytest.raises(TimeoutError):
        given[0].result(5)
    assert given[0].done()


# More than epoll takes, than a thread can wait for, and than the clock can show.
@pytest.mark.parametrize("timeout", [3e6, 999_999_999.0, 1e20])
@pytest.mark.parametrize("kind", [ProcessExecutor, ThreadExecutor])
def test_a_timeout_longer_than_the_system_can_wait_breaks_no_pool(
    kind: type[ProcessExecutor | ThreadExecutor], timeout: float, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    with kind(2) as pool:
        patient = pool.start_call(calls.wait_for, (str(go),), {}, CallOptions(timeout=timeout))
        others = [pool.submit(calls.double, n).result(WAIT) for n in range(20)]
        go.touch()

        assert patient.exception(WAIT) is None
        assert others == [2 * n for n in range(20)]


def test_children_may_be_idle_for_longer_than_the_system_can_wait() -> None:
    with ProcessExecutor(1, idle_timeout=1e20) as pool:
        assert [pool.submit(calls.double, n).result(WAIT) for n in range(3)] == [0, 2, 4]


def test_a_call_that_is_deaf_to_all_signals_has_its_timeout(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    deaf = single.submit(limited(scenario_calls.ignore_everything, 0.3), str(here))

    assert isinstance(deaf.exception(WAIT), TimeoutError)
    assert are_doubles(doubles(single))
    wait_until(lambda: all(is_gone(int(pid)) for pid in lines(here)), "its child is gone")


def test_a_call_that_stops_its_process_has_its_timeout(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    stopped = single.submit(limited(scenario_calls.stop_myself, 0.3), str(here))

    assert isinstance(stopped.exception(WAIT), TimeoutError)
    assert are_doubles(doubles(single))
    wait_until(lambda: all(is_gone(int(pid)) for pid in lines(here)), "its child is gone")


def test_a_timeout_costs_none_of_the_calls_that_wait_behind(single: ProcessExecutor) -> None:
    slow = single.submit(limited(calls.sleep, 0.3), 1000)
    waiting = doubles(single, 300)

    assert isinstance(slow.exception(WAIT), TimeoutError)
    assert are_doubles(waiting)


def test_many_timeouts_at_once_end_all_those_calls_and_no_other() -> None:
    with ProcessExecutor(4) as pool:
        slow = [pool.submit(limited(calls.sleep, 0.1), 1000) for _ in range(24)]
        others = doubles(pool)

        assert all(isinstance(future.exception(WAIT), TimeoutError) for future in slow)
        assert are_doubles(others)


def test_a_timeout_with_large_arguments_gives_their_memory_back(single: ProcessExecutor) -> None:
    slow = limited(scenario_calls.sleep_and_return, 0.1)
    found = [single.submit(slow, 1000, big.filled(n, 8 * MIB)) for n in range(4)]
    beside = single.submit(big.echo, big.filled(9, 8 * MIB))

    assert all(isinstance(future.exception(WAIT), TimeoutError) for future in found)
    assert big.values(beside.result(WAIT)) == {9}  # type: ignore[arg-type]
    del beside
    wait_until(lambda: single._pool._arena._free.end == 0, "no extent is in use")


@pytest.mark.parametrize("seconds", [0.001, 0.02, 0.05])
def test_a_timeout_amid_a_large_result_leaves_the_result_or_the_timeout(
    pool: ProcessExecutor, seconds: float
) -> None:
    found = [
        (n, pool.submit(limited(big.echo, seconds), big.filled(n, 20 * MIB))) for n in range(8)
    ]

    for n, future in found:
        error = future.exception(WAIT)
        assert error is None or isinstance(error, TimeoutError)
        assert error or big.values(future.result()) == {n}
    assert are_doubles(doubles(pool))


# --- cancels


@pytest.mark.parametrize("mode", ["no", "ask", "kill"])
def test_a_call_that_is_done_cannot_be_cancelled(pool: ProcessExecutor, mode: Any) -> None:
    done: Any = pool.submit(calls.double, 4)
    failed: Any = pool.submit(calls.fail, "so be it")
    futures.wait([done, failed], WAIT)

    assert not done.cancel(running=mode)
    assert not failed.cancel(running=mode)
    assert done.result() == 8
    assert isinstance(failed.exception(), ValueError)


def test_another_thread_may_cancel_running_and_waiting_calls(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    running = single.submit(calls.mark_and_sleep, str(here), 1000)
    waiting = [single.submit(calls.mark_and_sleep, str(here), 1000) for _ in range(5)]
    others = doubles(single)
    wait_until(lambda: lines(here), "the call runs")

    def cancel_all() -> None:
        for future in reversed([running, *waiting]):
            future.cancel(running="kill")

    thread = threading.Thread(target=cancel_all)
    thread.start()
    with pytest.raises(futures.CancelledError):
        running.result(WAIT)
    thread.join()

    assert all(future.cancelled() for future in waiting)
    assert are_doubles(others)
    assert len(lines(here)) == 1


@pytest.mark.parametrize("mode", ["no", "ask", "kill"])
def test_a_callback_may_cancel(pool: ProcessExecutor, tmp_path: Path, mode: Any) -> None:
    here, stop = tmp_path / "here", tmp_path / "stop"
    others = [pool.submit(calls.mark_and_wait_for, str(here), str(stop)) for _ in range(6)]
    wait_until(lambda: len(lines(here)) == 2, "two of them run")
    told: list[bool] = []
    # Cancelled in the thread that the pool itself depends on.
    first = pool.submit(calls.double, 1)
    first.add_done_callback(lambda _: told.extend(future.cancel(running=mode) for future in others))
    assert first.cancel()
    stop.touch()

    futures.wait(others, WAIT)

    assert len(told) == 6
    assert [future.cancelled() for future in others] == told
    assert told == [mode == "kill"] * 2 + [True] * 4
    assert are_doubles(doubles(pool))


def test_the_callback_of_an_answer_may_kill_another_call(
    pool: ProcessExecutor, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    victim = pool.submit(calls.mark_and_sleep, str(here), 1000)
    wait_until(lambda: lines(here), "the victim runs")
    answer = pool.submit(calls.sleep, 0.05)
    answer.add_done_callback(lambda _: victim.cancel(running="kill"))

    with pytest.raises(futures.CancelledError):
        victim.result(WAIT)
    assert are_doubles(doubles(pool))


def test_cancels_amid_large_transfers_cost_no_other_call(pool: ProcessExecutor) -> None:
    for n in range(40):
        victim = pool.submit(big.echo, big.filled(1, 4 * MIB))
        beside = pool.submit(big.echo, big.filled(2, MIB))
        if n % 2:
            wait_until(partial(is_sent, victim), "it is sent")

        is_cancelled = victim.cancel(running="kill")

        assert is_cancelled or big.values(victim.result(WAIT)) == {1}  # type: ignore[arg-type]
        assert big.values(beside.result(WAIT)) == {2}  # type: ignore[arg-type]
    del victim, beside
    wait_until(lambda: pool._pool._arena._free.end == 0, "no extent is in use")


# --- the end of a pool


@pytest.mark.parametrize("how", ["kill_workers", "shutdown"])
def test_a_pool_with_full_pipes_and_stopped_children_ends_at_once(how: str, tmp_path: Path) -> None:
    here = tmp_path / "here"
    pool = ProcessExecutor(2)
    stopped: list[Any] = [pool.submit(scenario_calls.stop_myself, str(here)) for _ in range(2)]
    wait_until(lambda: len(lines(here)) == 2, "both children stop")
    waiting: list[Any] = [pool.submit(calls.length, bytes(40_000)) for _ in range(500)]
    if how == "shutdown":
        pool.shutdown(wait=False, cancel_futures=True)
        for pid in map(int, lines(here)):
            os.kill(pid, signal.SIGKILL)
    else:
        pool.kill_workers()

    assert not futures.wait([*stopped, *waiting], WAIT).not_done
    pool.shutdown()
    assert all(future.cancelled() for future in waiting)
    assert all(is_gone(int(pid)) for pid in lines(here))


def test_children_that_are_stopped_while_they_write_are_killed_all_the_same() -> None:
    pool = ProcessExecutor(2)
    found: list[Any] = [pool.submit(calls.fail, "x" * 300_000) for _ in range(200)]
    futures.wait(found, WAIT, return_when=futures.FIRST_COMPLETED)
    for pid in pool._pool.pids():
        os.kill(pid, signal.SIGSTOP)

    pool.kill_workers()

    assert not futures.wait(found, WAIT).not_done
    pool.shutdown()
