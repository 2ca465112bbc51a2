"""Large arguments and results of calls on child processes."""

import contextlib
import os
import random
import signal
import time
from concurrent import futures
from pathlib import Path

import big
import calls
import pytest
from big_memory import mappings, memory_files, memory_used

from lightwork.errors import WorkerLost
from lightwork.pool.memory.control_block import SLOTS
from lightwork.pool.memory.large_value import KEEP
from lightwork.pool.process.executor import ProcessExecutor
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30
MIB = 1 << 20


# --- whole and unharmed


@pytest.mark.parametrize("size", [65_535, 65_536, MIB - 100, MIB, 5 * MIB])
def test_arrays_travel_both_ways_whatever_their_size(pool: ProcessExecutor, size: int) -> None:
    sent = big.Array(os.urandom(size))

    arrived = pool.submit(big.echo, sent).result(WAIT)

    assert isinstance(arrived, big.Array)
    assert arrived.memory == sent.memory


@pytest.mark.parametrize("value", [b"b" * MIB, bytearray(MIB), "t" * MIB, list(range(MIB // 8))])
def test_large_values_that_stay_in_band_travel_both_ways(
    pool: ProcessExecutor, value: object
) -> None:
    assert pool.submit(big.echo, value).result(WAIT) == value


def test_several_arrays_of_one_call_arrive_each_in_its_place(pool: ProcessExecutor) -> None:
    sent = [big.filled(n, 70_000 + n) for n in range(50)]

    arrived = pool.submit(big.echo, sent).result(WAIT)

    assert isinstance(arrived, list)
    assert [big.values(array) for array in arrived] == [{n} for n in range(50)]


def test_a_function_of_main_may_return_arrays(pool: ProcessExecutor) -> None:
    def make() -> big.Array:
        return big.filled(9, MIB)

    make.__module__ = "__main__"

    assert big.values(pool.submit(make).result(WAIT)) == {9}


def test_many_large_calls_at_once_keep_their_own_data(pool: ProcessExecutor) -> None:
    found = [pool.submit(big.echo, big.filled(n, 70_000 + 5000 * n)) for n in range(200)]

    arrived = [future.result(WAIT) for future in found]

    assert [big.values(array) for array in arrived] == [{n} for n in range(200)]  # type: ignore[arg-type]


def test_what_is_changed_after_submitting_is_not_sent(single: ProcessExecutor) -> None:
    array = big.filled(1)
    future = single.submit(big.values, array)

    big.overwrite(array, 2)

    assert future.result(WAIT) == {1}


# --- in place


def test_a_call_may_change_its_arguments_and_only_its_own(single: ProcessExecutor) -> None:
    array = big.filled(1, MIB)

    changed = single.submit(big.overwrite, array, 2).result(WAIT)
    again = single.submit(big.values, array).result(WAIT)

    assert (changed, again, big.values(array)) == ({2}, {1}, {1})


@pytest.mark.parametrize("size", [70_000, 2 * MIB])
def test_results_may_be_changed_in_place(single: ProcessExecutor, size: int) -> None:
    array = single.submit(big.filled, 1, size).result(WAIT)

    assert big.overwrite(array, 2) == {2}


# --- as long as somebody looks


def test_arguments_that_a_child_keeps_are_not_overwritten(single: ProcessExecutor) -> None:
    for n in range(10):
        single.submit(big.keep, big.filled(n, MIB)).result(WAIT)
        single.submit(big.values, big.filled(100, MIB)).result(WAIT)

    assert single.submit(big.kept).result(WAIT) == [{n} for n in range(10)]


def test_arguments_that_a_fork_of_a_child_looks_at_are_not_overwritten(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    ready, go, out = (str(tmp_path / name) for name in ("ready", "go", "out"))
    single.submit(big.keep_in_a_fork, big.filled(1, MIB), ready, go, out).result(WAIT)
    for _ in range(5):
        single.submit(big.values, big.filled(2, MIB)).result(WAIT)

    Path(go).touch()
    wait_until(lambda: Path(out).exists() and Path(out).read_text(), "the fork has looked")

    assert Path(out).read_text() == "{1}"


def test_results_that_are_kept_are_not_overwritten(single: ProcessExecutor) -> None:
    kept = [single.submit(big.filled, n % 256, MIB).result(WAIT) for n in range(2 * SLOTS)]

    assert [big.values(array) for array in kept] == [{n % 256} for n in range(2 * SLOTS)]


def test_results_outlive_the_pool() -> None:
    with ProcessExecutor(1) as pool:
        kept = pool.submit(big.filled, 1, 2 * MIB).result(WAIT)

    assert big.values(kept) == {1}


# --- given back


def test_memory_is_used_again(single: ProcessExecutor) -> None:
    for n in range(50):
        single.submit(big.echo, big.filled(n, 2 * MIB)).result(WAIT)

    wait_until(lambda: memory_used() < 16 * MIB, "100 MiB have passed through less than 16")


def test_a_value_beyond_what_is_kept_leaves_nothing(single: ProcessExecutor) -> None:
    size = KEEP + 50 * MIB

    assert single.submit(big.echo, bytes(size)).result(WAIT) == bytes(size)

    wait_until(lambda: memory_used() <= 2 * KEEP + 2 * MIB, "both arenas are back at their size")


def test_a_cancelled_call_gives_its_memory_back(single: ProcessExecutor, tmp_path: Path) -> None:
    running = single.submit(calls.wait_for, str(tmp_path / "go"))
    waiting = [single.submit(big.values, big.filled(1, KEEP)) for _ in range(3)]
    most = memory_used()

    for future in waiting:
        future.cancel()

    wait_until(lambda: memory_used() <= KEEP + MIB, "the cancelled calls' memory is back")
    assert most >= 3 * KEEP
    (tmp_path / "go").touch()
    running.result(WAIT)


def test_a_call_that_cannot_load_its_function_gives_its_memory_back(
    single: ProcessExecutor,
) -> None:
    broken = calls.FailsWhenLoaded(calls.raise_error)
    for _ in range(5):
        with pytest.raises(ArithmeticError):
            single.submit(broken, big.filled(1, 4 * MIB)).result(WAIT)

    wait_until(lambda: memory_used() < 10 * MIB, "20 MiB have passed through less than 10")


def test_a_failed_call_gives_its_memory_back(single: ProcessExecutor) -> None:
    for _ in range(5):
        with pytest.raises(ValueError, match="4194304"):
            single.submit(big.fail_with, big.filled(1, 4 * MIB)).result(WAIT)

    wait_until(lambda: memory_used() < 10 * MIB, "20 MiB have passed through less than 10")


def test_after_shutdown_no_descriptor_and_no_mapping_is_left() -> None:
    with ProcessExecutor(2) as pool:
        found = [pool.submit(big.echo, big.filled(n, 2 * MIB)) for n in range(10)]
        futures.wait(found, WAIT)
        del found

    assert memory_files() == []
    assert mappings() == []


# --- kill -9


def test_a_death_with_large_arguments_costs_that_call_and_no_memory(
    single: ProcessExecutor,
) -> None:
    for _ in range(5):
        with pytest.raises(WorkerLost):
            single.submit(big.die_with, big.filled(1, 4 * MIB)).result(WAIT)

    assert single.submit(big.values, big.filled(2, 4 * MIB)).result(WAIT) == {2}
    wait_until(lambda: memory_used() < 10 * MIB, "what dead children had is given back")


def test_arguments_that_a_dead_child_had_kept_give_their_memory_back(
    single: ProcessExecutor,
) -> None:
    for n in range(4):
        single.submit(big.keep, big.filled(n, KEEP // 2)).result(WAIT)
    most = memory_used()

    with pytest.raises(WorkerLost):
        single.submit(calls.kill_myself).result(WAIT)

    assert most >= 2 * KEEP
    wait_until(lambda: memory_used() <= KEEP + MIB, "the dead child's arguments are given back")


@pytest.mark.chaos
def test_children_killed_amid_large_transfers_cost_only_what_ran_and_leave_nothing() -> None:
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    deadline = time.monotonic() + 10
    kept: list[tuple[int, object]] = []
    with ProcessExecutor(2) as pool:
        while time.monotonic() < deadline and len(kept) < 150:
            found = [
                pool.submit(big.echo, big.filled(n, chance.randrange(65_536, 3 * MIB)))
                for n in range(10)
            ]
            time.sleep(chance.random() * 0.01)
            for pid in pool._pool.pids():
                # It may have ended, and been reaped, since the list was made.
                if chance.random() < 0.5:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            for n, future in enumerate(found):
                error = future.exception(WAIT)
                assert error is None or isinstance(error, WorkerLost), f"seed {seed}"
                if error is None:
                    kept.append((n, future.result()))
            del future, found
            if len(kept) > 60:
                del kept[:30]

    wrong = [n for n, array in kept if big.values(array) != {n}]  # type: ignore[arg-type]
    kept.clear()
    assert wrong == [], f"seed {seed}"
    assert memory_files() == []
    assert mappings() == []
