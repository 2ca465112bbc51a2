"""Coroutine calls on child processes: crashes, cancelling, limits, the end."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import CancelledError
from pathlib import Path

import async_calls
import calls
import psutil
import pytest

from lightwork.errors import WorkerLost
from lightwork.pool.call.future import Future
from lightwork.pool.call.options import CallOptions
from lightwork.pool.link.held_calls import FUNCTIONS_MAX
from lightwork.pool.process.executor import ProcessExecutor
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 60
HERE = Path(__file__).parents[1]


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    return tmp_path / "marks"


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return tmp_path / "gate"


def lines(path: Path) -> list[tuple[int, str]]:
    found = path.read_text().split() if path.exists() else []
    return [(int(pid), text) for pid, _, text in (line.partition(":") for line in found)]


def begun(marks: Path, count: int = 1) -> int:
    """Wait until so many calls have begun; return the process of the first."""
    wait_until(lambda: len(lines(marks)) >= count, f"{count} calls have begun", within=WAIT)
    return lines(marks)[0][0]


def limited(pool: ProcessExecutor, timeout: float, *call: object) -> Future[object]:
    fn, *args = call
    options = CallOptions(timeout=timeout)
    return pool.start_call(fn, tuple(args), {}, options)  # type: ignore[arg-type]


# --- crashes


def test_a_killed_child_costs_exactly_what_had_begun_there(marks: Path, gate: Path) -> None:
    with ProcessExecutor(2, async_calls=20) as pool:
        futures = {
            str(n): pool.submit(async_calls.mark_and_wait_for, str(marks), str(gate), str(n))
            for n in range(50)
        }
        victim = begun(marks, 40)
        guilty = {text for pid, text in lines(marks) if pid == victim}
        os.kill(victim, signal.SIGKILL)
        failed = {n for n in guilty if isinstance(futures[n].exception(WAIT), WorkerLost)}
        gate.touch()
        ended = {n for n, future in futures.items() if future.exception(WAIT) is None}

    assert len(guilty) == 20
    assert failed == guilty
    assert ended == futures.keys() - guilty
    assert len(lines(marks)) == 50, "no call ran twice"


def test_the_error_says_that_the_process_was_shared(single: ProcessExecutor, marks: Path) -> None:
    futures = [single.submit(async_calls.mark_and_sleep, str(marks)) for _ in range(3)]
    os.kill(begun(marks, 3), signal.SIGKILL)

    for future in futures:
        error = future.exception(WAIT)
        assert isinstance(error, WorkerLost)
        assert "all 3 calls that shared this process are lost" in str(error)


def test_what_waits_behind_a_blocked_loop_is_not_lost_with_it(
    single: ProcessExecutor, marks: Path
) -> None:
    guilty = single.submit(async_calls.mark_and_block, str(marks))
    child = begun(marks)
    others = [single.submit(async_calls.double, n) for n in range(20)]
    os.kill(child, signal.SIGKILL)

    assert isinstance(guilty.exception(WAIT), WorkerLost)
    assert [future.result(WAIT) for future in others] == list(range(0, 40, 2))


def test_what_waits_behind_a_blocked_loop_runs_elsewhere(marks: Path) -> None:
    with ProcessExecutor(2) as pool:
        blocked = pool.submit(async_calls.mark_and_block, str(marks))
        begun(marks)

        assert [pool.submit(async_calls.double, n).result(WAIT) for n in range(20)] == list(
            range(0, 40, 2)
        )
        assert not blocked.done()
        pool.kill_workers()


def test_a_loop_that_was_blocked_is_given_calls_again(
    single: ProcessExecutor, marks: Path, gate: Path
) -> None:
    single.submit(async_calls.mark_and_block_and_sleep, str(marks), str(gate))
    begun(marks)
    others = [single.submit(async_calls.double, n) for n in range(20)]
    [link] = single._pool._children
    wait_until(
        lambda: link.held.is_stalled and len(link.held.calls) == 1, "the others were taken back"
    )
    gate.touch()

    assert [future.result(WAIT) for future in others] == list(range(0, 40, 2))
    single.kill_workers()


def test_a_finished_coroutine_survives_the_death_of_its_child(
    single: ProcessExecutor, marks: Path
) -> None:
    finished = [single.submit(async_calls.nap, 0.01, n) for n in range(20)]
    guilty = single.submit(async_calls.exit_process)

    assert isinstance(guilty.exception(WAIT), WorkerLost)
    for n, future in enumerate(finished):
        error = future.exception(WAIT)
        assert isinstance(error, WorkerLost) or future.result() == n


def test_a_plain_call_that_dies_takes_the_coroutines_of_its_child_along(
    single: ProcessExecutor, marks: Path
) -> None:
    beside = single.submit(async_calls.mark_and_sleep, str(marks))
    begun(marks)

    assert isinstance(single.submit(calls.exit_now).exception(WAIT), WorkerLost)
    assert isinstance(beside.exception(WAIT), WorkerLost)
    assert single.submit(async_calls.double, 2).result(WAIT) == 4


def test_children_killed_at_random_cost_only_what_had_begun(marks: Path) -> None:
    with ProcessExecutor(2, async_calls=30) as pool:
        futures = [
            pool.submit(async_calls.mark_and_nap, str(marks), n)
            if n % 5
            else pool.submit(async_calls.mark_plainly, str(marks), n)
            for n in range(1500)
        ]
        for count in (100, 300, 600, 1000):
            begun(marks, count)
            for pid in pool._pool.pids()[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        errors = [future.exception(WAIT) for future in futures]

    numbers = Counter(int(text) for _, text in lines(marks))
    for n, error in enumerate(errors):
        assert isinstance(error, WorkerLost) or futures[n].result() == n
        # One that was lost may not have come to its mark.
        assert numbers[n] == 1 or (numbers[n] == 0 and error is not None)
    assert sum(error is not None for error in errors) <= 4 * 31


def test_nothing_is_left_when_the_program_is_killed(marks: Path) -> None:
    script = (
        "import sys, async_calls; from lightwork.pool.process.executor import ProcessExecutor\n"
        "pool = ProcessExecutor(2)\n"
        "calls = [pool.submit(async_calls.mark_and_sleep, sys.argv[1]) for _ in range(10)]\n"
        "calls[0].result()"
    )
    path = os.pathsep.join([str(HERE), str(HERE.parent), str(HERE.parents[1] / "src")])
    with subprocess.Popen(
        [sys.executable, "-c", script, str(marks)], env=os.environ | {"PYTHONPATH": path}
    ) as program:
        begun(marks, 10)
        program.kill()

    children = {pid for pid, _ in lines(marks)}
    assert len(children) == 2
    wait_until(lambda: not any(map(psutil.pid_exists, children)), "the children have ended")


# --- cancelling


def test_a_coroutine_that_waits_for_a_place_is_cancelled(marks: Path, gate: Path) -> None:
    with ProcessExecutor(1, async_calls=1) as pool:
        first = pool.submit(async_calls.mark_and_wait_for, str(marks), str(gate), "first")
        begun(marks)
        second = pool.submit(async_calls.mark_and_wait_for, str(marks), str(gate), "second")

        assert second.cancel()
        gate.touch()
        assert first.result(WAIT) == "first"

    assert second.cancelled()
    assert [text for _, text in lines(marks)] == ["first"]


def test_a_coroutine_that_has_begun_is_not_cancelled_by_default(
    single: ProcessExecutor, marks: Path, gate: Path
) -> None:
    future = single.submit(async_calls.mark_and_wait_for, str(marks), str(gate), "whole")
    begun(marks)

    assert future.running()
    assert not future.cancel()
    gate.touch()
    assert future.result(WAIT) == "whole"


def test_each_of_many_coroutines_can_be_asked_to_stop(single: ProcessExecutor, marks: Path) -> None:
    futures = [
        single.submit(async_calls.mark_and_wait_until_cancelled, str(marks)) for _ in range(10)
    ]
    begun(marks, 10)

    for future in futures[:5]:
        assert not future.cancel(running="ask")

    assert [future.result(WAIT) for future in futures[:5]] == ["stopped"] * 5
    assert not any(future.done() for future in futures[5:])
    for future in futures[5:]:
        future.cancel(running="ask")


def test_kill_cancels_one_coroutine_and_no_other(
    single: ProcessExecutor, marks: Path, gate: Path, tmp_path: Path
) -> None:
    tidied = tmp_path / "tidied"
    other = single.submit(async_calls.mark_and_wait_for, str(marks), str(gate), "other")
    future = single.submit(async_calls.mark_and_tidy_up, str(marks), str(tidied))
    begun(marks, 2)

    assert future.cancel(running="kill")

    with pytest.raises(CancelledError):
        future.result(WAIT)
    wait_until(lambda: lines(tidied), "its finally has run")
    gate.touch()
    assert other.result(WAIT) == "other"


def test_kill_of_a_blocked_loop_kills_its_child(single: ProcessExecutor, marks: Path) -> None:
    future = single.submit(async_calls.mark_and_block, str(marks))
    child = begun(marks)

    assert future.cancel(running="kill")
    wait_until(lambda: not psutil.pid_exists(child), "the child has been killed", within=WAIT)
    assert single.submit(async_calls.double, 2).result(WAIT) == 4


def test_a_coroutine_that_never_obeys_keeps_nobody(marks: Path) -> None:
    with ProcessExecutor(1) as pool:
        future = pool.submit(async_calls.mark_and_never_obey, str(marks))
        begun(marks)

        assert future.cancel(running="kill")
        assert pool.submit(async_calls.double, 2).result(WAIT) == 4

    assert future.cancelled()


# --- limits


def test_a_timeout_cancels_one_coroutine_and_no_other(
    single: ProcessExecutor, marks: Path, gate: Path, tmp_path: Path
) -> None:
    tidied = tmp_path / "tidied"
    other = single.submit(async_calls.mark_and_wait_for, str(marks), str(gate), "other")
    late = limited(single, 0.1, async_calls.mark_and_tidy_up, str(marks), str(tidied))

    error = late.exception(WAIT)

    assert isinstance(error, TimeoutError)
    assert "mark_and_tidy_up ran longer than its timeout of 0.1 s" in str(error)
    assert lines(tidied)
    gate.touch()
    assert other.result(WAIT) == "other"


def test_a_timeout_of_a_blocked_loop_kills_its_child(single: ProcessExecutor, marks: Path) -> None:
    late = limited(single, 0.1, async_calls.mark_and_block, str(marks))

    assert isinstance(late.exception(WAIT), TimeoutError)
    child, _ = lines(marks)[0]
    wait_until(lambda: not psutil.pid_exists(child), "the child has been killed")
    assert single.submit(async_calls.double, 2).result(WAIT) == 4


def test_a_timeout_does_not_kill_a_plain_call_that_blocks_the_loop(
    single: ProcessExecutor, marks: Path, gate: Path
) -> None:
    late = limited(single, 0.5, async_calls.mark_and_sleep, str(marks))
    begun(marks)
    plain = single.submit(calls.wait_for, str(gate), "unharmed")

    assert isinstance(late.exception(WAIT), TimeoutError)
    gate.touch()
    assert plain.result(WAIT) == "unharmed"
    assert single.submit(async_calls.double, 2).result(WAIT) == 4


def test_a_coroutine_that_never_obeys_fails_after_its_timeout(marks: Path) -> None:
    with ProcessExecutor(1) as pool:
        late = limited(pool, 0.1, async_calls.mark_and_never_obey, str(marks))

        assert isinstance(late.exception(WAIT), TimeoutError)
        assert pool.submit(async_calls.double, 2).result(WAIT) == 4


def test_a_timeout_that_is_kept_costs_nothing(single: ProcessExecutor) -> None:
    futures = [limited(single, WAIT, async_calls.double, n) for n in range(50)]

    assert [future.result(WAIT) for future in futures] == list(range(0, 100, 2))


def test_a_memory_limit_kills_the_child_and_says_so(single: ProcessExecutor, marks: Path) -> None:
    beside = single.submit(async_calls.mark_and_sleep, str(marks))
    begun(marks)
    options = CallOptions(max_memory=1 << 20)

    error = single.start_call(async_calls.nap, (1000,), {}, options).exception(WAIT)

    assert isinstance(error, WorkerLost)
    assert "the limit is 1,048,576" in str(error)
    assert isinstance(beside.exception(WAIT), WorkerLost)


# --- the end


def test_shutdown_waits_for_coroutines(marks: Path) -> None:
    pool = ProcessExecutor(2, async_calls=5)
    futures = [pool.submit(async_calls.nap, 0.05, n) for n in range(40)]

    pool.shutdown(wait=True)

    assert [future.result(0) for future in futures] == list(range(40))


def test_shutdown_may_cancel_what_has_not_begun(marks: Path, gate: Path) -> None:
    pool = ProcessExecutor(1, async_calls=2)
    futures = [
        pool.submit(async_calls.mark_and_wait_for, str(marks), str(gate), n) for n in range(6)
    ]
    begun(marks, 2)

    pool.shutdown(wait=False, cancel_futures=True)
    gate.touch()
    pool.shutdown(wait=True)

    assert [future.result(0) for future in futures[:2]] == [0, 1]
    assert all(future.cancelled() for future in futures[2:])


def test_kill_workers_ends_coroutines_at_once(marks: Path) -> None:
    pool = ProcessExecutor(1)
    future = pool.submit(async_calls.mark_and_sleep, str(marks))
    begun(marks)

    pool.kill_workers()
    pool.shutdown(wait=True)

    assert isinstance(future.exception(0), WorkerLost)


def test_an_idle_loop_uses_next_to_no_time(single: ProcessExecutor, marks: Path) -> None:
    single.submit(async_calls.mark_and_sleep, str(marks))
    child = psutil.Process(begun(marks))
    before = sum(child.cpu_times()[:2])

    # The second that is measured, not one that is waited for.
    time.sleep(1)

    assert sum(child.cpu_times()[:2]) - before < 0.2


# --- many functions


def test_calls_of_more_functions_than_a_child_remembers_can_be_taken_back() -> None:
    count = FUNCTIONS_MAX + 100
    with ProcessExecutor(1, async_calls=2 * count) as pool:
        child = pool.submit(calls.pid).result(WAIT)
        os.kill(child, signal.SIGSTOP)
        try:
            [link] = pool._pool._children
            found = [pool.submit(async_calls.same(n), n) for n in range(count)]
            held = link.held
            wait_until(lambda: len(held.functions) < len(held.calls), "unread functions made room")

            assert found[0].cancel()
        finally:
            os.kill(child, signal.SIGCONT)

        assert [future.result(WAIT) for future in found[1:]] == list(range(1, count))
