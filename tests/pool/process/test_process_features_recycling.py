"""Children that go although nothing is wrong: too heavy, or idle for too long."""

import logging
from concurrent import futures
from pathlib import Path

import calls
import feature_calls
import psutil
import pytest

from lightwork.errors import UsageError
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.wire.function_cache import FunctionNotLoaded
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30
MUCH = 150 << 20


def children(pool: ProcessExecutor) -> set[int]:
    return set(pool._pool.pids())


# --- memory


def test_a_child_is_replaced_after_the_call_that_left_it_too_heavy() -> None:
    with ProcessExecutor(1, max_memory_per_child="100M") as pool:
        before = pool.submit(feature_calls.keep, MUCH).result(WAIT)
        after = pool.submit(calls.pid).result(WAIT)

    assert after != before


def test_a_child_within_its_limit_stays() -> None:
    with ProcessExecutor(1, max_memory_per_child=200 << 20) as pool:
        found = {pool.submit(feature_calls.keep, 1 << 20).result(WAIT) for _ in range(5)}

    assert len(found) == 1


def test_memory_that_a_call_gave_back_does_not_count() -> None:
    with ProcessExecutor(1, max_memory_per_child="100M") as pool:
        before = pool.submit(feature_calls.use_and_free, MUCH).result(WAIT)
        after = pool.submit(calls.pid).result(WAIT)

    assert after == before


def test_no_call_is_lost_when_heavy_children_are_replaced() -> None:
    with ProcessExecutor(2, max_memory_per_child="100M") as pool:
        heavy = [pool.submit(feature_calls.keep, MUCH) for _ in range(4)]
        light = [pool.submit(calls.double, n) for n in range(500)]
        heavy += [pool.submit(feature_calls.keep, MUCH) for _ in range(4)]
        doubled = [future.result(WAIT) for future in light]
        pids = {future.result(WAIT) for future in heavy}

    assert doubled == [2 * n for n in range(500)]
    assert len(pids) == 8


def test_a_heavy_child_is_finalized(tmp_path: Path) -> None:
    ended = tmp_path / "ended"

    with ProcessExecutor(
        1, max_memory_per_child="100M", finalizer=feature_calls.write, finalargs=(str(ended),)
    ) as pool:
        pool.submit(feature_calls.keep, MUCH).result(WAIT)
        wait_until(lambda: feature_calls.read(ended), "the heavy child has ended")


def test_replacing_a_heavy_child_is_logged_once_and_is_no_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="lightwork")

    with ProcessExecutor(1, name="heavy", max_memory_per_child="100M") as pool:
        pool.submit(feature_calls.keep, MUCH).result(WAIT)

    logged = [
        (record.levelno, record.getMessage().split(" bytes=")[0]) for record in caplog.records
    ]
    assert logged == [(logging.INFO, "child_outgrew child=heavy-1")]


# --- unfit


def test_a_child_that_has_half_a_function_is_replaced_and_no_other_call_is_lost() -> None:
    with ProcessExecutor(1) as pool:
        before = pool.submit(calls.pid).result(WAIT)
        broken = [pool.submit(feature_calls.NotThere()) for _ in range(3)]
        doubled = [pool.submit(calls.double, n) for n in range(50)]

        errors = [type(future.exception(WAIT)) for future in broken]
        assert errors == [FunctionNotLoaded] * 3
        assert [future.result(WAIT) for future in doubled] == [2 * n for n in range(50)]
        assert pool.submit(calls.pid).result(WAIT) != before


# --- limits


@pytest.mark.parametrize("amount", ["much", -1, 1.5])
def test_a_limit_that_is_no_amount_is_refused(amount: object) -> None:
    with pytest.raises(UsageError, match="a size is"):
        ProcessExecutor(1, max_memory_per_child=amount)  # type: ignore[arg-type]


# --- idle


def test_idle_children_end_down_to_none() -> None:
    with ProcessExecutor(3, idle_timeout=0.05) as pool:
        futures.wait([pool.submit(calls.sleep, 0.02) for _ in range(6)], WAIT)

        wait_until(lambda: not children(pool), "all children have ended")


def test_a_pool_without_children_runs_the_next_call() -> None:
    with ProcessExecutor(1, idle_timeout=0.01) as pool:
        before = pool.submit(calls.pid).result(WAIT)
        wait_until(lambda: not children(pool), "the child has ended")

        after = pool.submit(calls.pid).result(WAIT)

    assert after != before


def test_a_child_that_works_is_not_idle() -> None:
    with ProcessExecutor(1, idle_timeout=0.01) as pool:
        found = pool.submit(calls.sleep, 0.2, "done").result(WAIT)

    assert found == "done"


def test_without_idle_timeout_children_stay() -> None:
    with ProcessExecutor(1) as pool:
        pool.submit(calls.pid).result(WAIT)
        until_when = pool._pool._children.next_idle_end()

    assert until_when == float("inf")


def test_no_call_is_lost_at_the_moment_when_children_end() -> None:
    with ProcessExecutor(2, idle_timeout=0.001) as pool:
        found = []
        for n in range(150):
            found.append(pool.submit(calls.double, n).result(WAIT))
            # Now and then just before, at or after the end of the child.
            pool.submit(calls.sleep, n % 5 * 0.0005)

    assert found == [2 * n for n in range(150)]


def test_an_idle_child_is_finalized_and_logged_as_no_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ended = tmp_path / "ended"
    caplog.set_level(logging.INFO, logger="lightwork")

    with ProcessExecutor(
        1,
        name="lazy",
        idle_timeout=0.01,
        finalizer=feature_calls.write,
        finalargs=(str(ended),),
    ) as pool:
        ran = pool.submit(feature_calls.here).result(WAIT)
        wait_until(lambda: not children(pool), "the child has ended")

    logged = [
        (record.levelno, record.getMessage().split(" seconds=")[0]) for record in caplog.records
    ]
    assert feature_calls.read(ended) == [ran]
    assert logged == [(logging.INFO, "child_idle child=lazy-1")]


def test_only_as_many_children_stay_as_work_needs(tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    with ProcessExecutor(3, idle_timeout=0.05) as pool:
        long = pool.submit(calls.wait_for, str(go_on))
        futures.wait([pool.submit(calls.sleep, 0.02) for _ in range(4)], WAIT)

        wait_until(lambda: len(children(pool)) == 1, "only the busy child is left")
        (busy,) = children(pool)
        status = psutil.Process(busy).status()
        go_on.touch()
        long.result(WAIT)

    assert status != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("seconds", [0, -1, True, "3", float("nan")])
def test_a_senseless_idle_timeout_is_refused(seconds: object) -> None:
    with pytest.raises(UsageError, match="idle_timeout must be"):
        ProcessExecutor(1, idle_timeout=seconds)  # type: ignore[arg-type]
