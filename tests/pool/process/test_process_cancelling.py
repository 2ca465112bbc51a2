"""Cancelling calls on child processes, wherever they are."""

import threading
from concurrent import futures
from pathlib import Path

import calls
import pytest
from programs import lines

from lightwork.pool.process.executor import ProcessExecutor
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30


def is_healthy(pool: ProcessExecutor) -> bool:
    return [pool.submit(calls.double, n).result(WAIT) for n in range(20)] == list(range(0, 40, 2))


# --- cancelling


def test_a_waiting_call_can_be_cancelled_and_never_runs(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    go, ran = tmp_path / "go", tmp_path / "ran"
    first = single.submit(calls.wait_for, str(go))
    second = single.submit(calls.mark, str(ran))

    assert second.cancel()
    go.touch()

    assert first.result(WAIT) is None
    assert single.submit(calls.double, 1).result(WAIT) == 2
    assert not ran.exists()
    assert second.cancelled()


def test_a_cancelled_future_is_seen_by_those_who_wait(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    single.submit(calls.wait_for, str(go))
    second = single.submit(calls.double, 1)

    second.cancel()

    assert futures.wait([second], timeout=WAIT).done == {second}
    assert list(futures.as_completed([second], timeout=WAIT)) == [second]
    go.touch()


def test_a_call_that_was_sent_ahead_can_be_cancelled_and_never_runs(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    go, ran = tmp_path / "go", tmp_path / "ran"
    single.submit(calls.double, 1).result(WAIT)
    # Neither function was seen to be long: both go to the one child at once.
    for fn in (calls.wait_for, calls.mark):
        single._pool._functions.find(fn).seconds = 0.0

    with single._pool._lock:
        first = single.submit(calls.wait_for, str(go))
        second = single.submit(calls.mark, str(ran))
        single._pool._scheduler.hand_out(may_start=False)
        was_sent = second.running()
    is_cancelled = second.cancel()
    go.touch()

    assert (was_sent, is_cancelled) == (True, True)
    assert first.result(WAIT) is None
    assert single.submit(calls.double, 1).result(WAIT) == 2
    assert not ran.exists()


def test_every_call_cancelled_right_after_submit_either_ends_or_is_cancelled(
    pool: ProcessExecutor,
) -> None:
    found = [pool.submit(calls.double, n) for n in range(2000)]
    is_cancelled = [future.cancel() for future in found]

    futures.wait(found, timeout=WAIT)

    assert all(
        future.cancelled() is cancelled
        for future, cancelled in zip(found, is_cancelled, strict=True)
    )
    assert is_healthy(pool)


def test_cancelling_while_others_submit_loses_nothing(pool: ProcessExecutor) -> None:
    results: list[bool] = []

    def submit_and_cancel(seed: int) -> None:
        for n in range(300):
            future = pool.submit(calls.double, n)
            if (n + seed) % 3 == 0 and future.cancel():
                results.append(future.cancelled())
            else:
                results.append(future.result(WAIT) == 2 * n)

    threads = [threading.Thread(target=submit_and_cancel, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 1200
    assert all(results)


def test_a_running_call_is_not_cancelled_by_default(pool: ProcessExecutor, tmp_path: Path) -> None:
    here, go = tmp_path / "here", tmp_path / "go"
    future = pool.submit(calls.mark_and_wait_for, str(here), str(go), 7)
    wait_until(lambda: lines(here), "the call runs")

    assert not future.cancel()
    assert future.running()
    go.touch()
    assert future.result(WAIT) == 7


def test_a_running_call_can_be_asked_to_stop(pool: ProcessExecutor, tmp_path: Path) -> None:
    here = tmp_path / "here"
    future = pool.submit(calls.mark_and_wait_until_cancelled, str(here))
    wait_until(lambda: lines(here), "the call runs")

    future.cancel(running="ask")

    assert future.result(WAIT) == "stopped"


def test_a_running_call_can_be_killed_and_costs_no_other(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    future = single.submit(calls.mark_and_sleep, str(here), 1000)
    others = [single.submit(calls.double, n) for n in range(10)]
    wait_until(lambda: lines(here), "the call runs")

    assert future.cancel(running="kill")
    assert future.cancelled()
    assert [other.result(WAIT) for other in others] == list(range(0, 20, 2))


def test_killing_calls_at_any_moment_never_costs_another(pool: ProcessExecutor) -> None:
    for n in range(60):
        victim = pool.submit(calls.sleep, 0.0005 * (n % 4), n)
        others = [pool.submit(calls.double, m) for m in range(5)]

        is_cancelled = victim.cancel(running="kill")

        assert [other.result(WAIT) for other in others] == [0, 2, 4, 6, 8]
        assert is_cancelled or victim.result(WAIT) == n


def test_a_pool_whose_only_calls_were_cancelled_at_once_ends() -> None:
    for _ in range(30):
        pool = ProcessExecutor(2)
        pool.submit(abs, -1).cancel()
        ending = threading.Thread(target=pool.shutdown, daemon=True)
        ending.start()

        ending.join(WAIT)

        assert not ending.is_alive()
