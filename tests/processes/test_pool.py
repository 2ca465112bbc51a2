"""Pool under the standard name: what it returns, what it refuses, what a death costs."""

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

import lightwork as lw
from lightwork import multiprocessing as mp
from lightwork.multiprocessing.pool import AsyncResult, Pool, ThreadPool
from lightwork.pool.map.batcher import Batcher
from processes import targets

pytestmark = pytest.mark.process

WAIT = 30


def pool_at(where: str, *args: Any, **options: Any) -> Any:
    context: Any = mp.get_context(where)
    return context.Pool(*args, **options)


@pytest.fixture(params=["processes", "threads"])
def pool(request: pytest.FixtureRequest) -> Iterator[Any]:
    with pool_at(request.param, 2) as opened:
        yield opened
    opened.join()


def test_results_come_in_the_order_of_the_items(pool: Any) -> None:
    assert pool.apply(targets.double, (21,)) == 42
    assert pool.map(targets.double, range(5)) == [0, 2, 4, 6, 8]
    assert pool.map(targets.double, (n for n in range(5)), chunksize=2) == [0, 2, 4, 6, 8]
    assert pool.starmap(pow, [(2, 3), (3, 2)]) == [8, 9]
    assert list(pool.imap(targets.double, range(5))) == [0, 2, 4, 6, 8]
    assert sorted(pool.imap_unordered(targets.double, range(5), 2)) == [0, 2, 4, 6, 8]


def test_asynchronous_results_say_how_they_are(pool: Any) -> None:
    good = pool.apply_async(targets.double, (21,))
    bad = pool.map_async(targets.odd_fails, range(4))
    good.wait(WAIT)
    bad.wait(WAIT)

    assert isinstance(good, AsyncResult)
    assert isinstance(bad, AsyncResult)
    assert (good.ready(), good.successful(), good.get()) == (True, True, 42)
    assert (bad.ready(), bad.successful()) == (True, False)
    with pytest.raises(ValueError, match="1"):
        bad.get(WAIT)


def test_a_result_that_is_not_there_in_time_can_be_had_later(pool: Any) -> None:
    go = threading.Event()
    late = pool.apply_async(time.sleep, (0.2,)) if type(pool) is Pool else pool.apply_async(go.wait)

    with pytest.raises(mp.TimeoutError):
        late.get(0.0)
    with pytest.raises(ValueError, match="not ready"):
        late.successful()
    go.set()

    assert late.get(WAIT) in (None, True)


def test_an_error_of_the_function_that_is_a_timeout_is_its_own(pool: Any) -> None:
    failed = pool.apply_async(targets.run_out_of_time)

    with pytest.raises(TimeoutError, match="mine"):
        failed.get(WAIT)


def test_callbacks_have_run_when_a_result_is_there(pool: Any) -> None:
    told: list[object] = []

    pool.apply_async(targets.double, (1,), callback=told.append).get(WAIT)
    pool.map_async(targets.double, range(3), callback=told.append).get(WAIT)
    pool.map_async(targets.odd_fails, [1], error_callback=told.append).wait(WAIT)
    pool.apply_async(targets.odd_fails, (3,), {}, told.append, told.append).wait(WAIT)

    assert list(map(repr, told)) == ["2", "[0, 2, 4]", "ValueError(1)", "ValueError(3)"]


def test_a_callback_that_raises_harms_nobody(pool: Any, caplog: pytest.LogCaptureFixture) -> None:
    result = pool.apply_async(targets.double, (21,), callback=lambda _: 1 / 0)

    assert result.get(WAIT) == 42
    assert pool.apply(targets.double, (1,)) == 2
    assert "pool_callback_failed" in caplog.text


def test_an_item_that_fails_raises_in_its_place_and_the_next_ones_follow(pool: Any) -> None:
    results = pool.imap(targets.odd_fails, range(3))

    assert next(results) == 0
    with pytest.raises(ValueError, match="1"):
        next(results)
    assert list(results) == [2]


def test_an_input_that_raises_does_so_behind_the_results_before_it(pool: Any) -> None:
    results = pool.imap(targets.double, targets.two_and_an_error())

    assert [next(results), next(results)] == [0, 2]
    with pytest.raises(RuntimeError, match="no third"):
        next(results)
    assert list(results) == []


def test_an_endless_input_is_taken_as_its_results_are_read(pool: Any) -> None:
    results = pool.imap(targets.double, itertools.count())

    assert list(itertools.islice(results, 3)) == [0, 2, 4]


def test_waiting_for_a_result_of_imap_can_be_repeated(pool: Any) -> None:
    gate = threading.Event()
    fn = time.sleep if type(pool) is Pool else lambda _: gate.wait()
    results = pool.imap(fn, [0.3])

    with pytest.raises(mp.TimeoutError):
        results.next(timeout=0.0)
    gate.set()

    assert results.next(WAIT) in (None, True)


def test_all_that_imap_was_given_has_run_when_the_pool_is_joined(pool: Any) -> None:
    results = pool.imap(targets.double, (n for n in range(5000)))
    pool.close()
    pool.join()

    assert sum(results) == 5000 * 4999


def test_a_pool_is_closed_before_it_is_joined(pool: Any) -> None:
    with pytest.raises(ValueError, match="still running"):
        pool.join()

    pool.close()
    pool.join()


@pytest.mark.parametrize("end", ["close", "terminate"])
def test_nothing_is_accepted_after_the_end(pool: Any, end: str) -> None:
    getattr(pool, end)()

    for method in ("apply_async", "map_async", "starmap_async", "imap", "imap_unordered"):
        with pytest.raises(ValueError, match="not running"):
            getattr(pool, method)(targets.double, [1])
    with pytest.raises(ValueError, match="not running"), pool:
        pass


def test_what_was_accepted_before_the_end_is_run(pool: Any) -> None:
    results = [pool.apply_async(targets.double, (n,)) for n in range(10)]
    mapped = pool.map_async(targets.double, range(2000))
    pool.close()
    pool.join()

    assert [result.get(0) for result in results] == [2 * n for n in range(10)]
    assert len(mapped.get(0)) == 2000


def test_terminate_ends_what_runs_and_what_waits() -> None:
    pool = mp.Pool(1)
    running = pool.apply_async(targets.sleep_forever)
    waiting = [pool.apply_async(targets.double, (n,)) for n in range(100)]
    mapped = pool.map_async(targets.double, range(10_000))

    pool.terminate()
    pool.join()

    for result in (running, *waiting, mapped):
        with pytest.raises((lw.WorkerLost, CancelledError)):
            result.get(WAIT)


def test_what_ran_as_its_pool_was_terminated_is_not_said_to_lack_memory() -> None:
    pool, has_begun = mp.Pool(1), mp.Event()
    running = pool.apply_async(targets.set_and_sleep, (has_begun,))
    assert has_begun.wait(WAIT)

    pool.terminate()

    with pytest.raises(lw.WorkerLost, match="as its pool was told to end at once"):
        running.get(WAIT)


def test_a_child_that_is_killed_costs_its_call() -> None:
    with mp.Pool(2) as pool:
        with pytest.raises(lw.WorkerLost):
            pool.apply(targets.die)
        lost = pool.map_async(targets.die_at_three, range(6), chunksize=1)
        with pytest.raises(lw.WorkerLost):
            lost.get(WAIT)

        results = pool.imap(targets.die_at_three, range(6))

        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(lw.WorkerLost):
            next(results)
        assert list(results) == [4, 5]
    pool.join()


def test_an_initializer_runs_in_every_child() -> None:
    with mp.Pool(1, targets.remember, ("here",)) as pool:
        assert pool.apply(targets.recall) == "here"
    pool.join()


def test_an_initializer_that_fails_is_no_hang() -> None:
    with mp.Pool(1, targets.fail) as pool, pytest.raises(lw.PoolError):
        pool.map_async(targets.double, [1]).get(WAIT)
    pool.join()


def test_children_are_replaced_after_so_many_calls() -> None:
    with mp.Pool(1, maxtasksperchild=2) as pool:
        pids = [pool.apply(targets.pid) for _ in range(6)]
    pool.join()

    assert len(set(pids)) == 3


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"processes": 0}, ValueError),
        ({"processes": -1}, ValueError),
        ({"maxtasksperchild": 0}, ValueError),
        ({"maxtasksperchild": 0.5}, ValueError),
        ({"maxtasksperchild": "12"}, ValueError),
        ({"initializer": 1}, TypeError),
    ],
)
def test_options_that_make_no_sense_are_refused(
    options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        mp.Pool(**options)


def test_a_lambda_can_be_mapped() -> None:
    with mp.Pool(1) as pool:
        assert pool.map(lambda n: n + 1, range(3)) == [1, 2, 3]
    pool.join()


def test_a_pool_that_is_dropped_while_it_runs_says_so() -> None:
    pool: Any = ThreadPool(1)

    with pytest.warns(ResourceWarning, match="unclosed running"):
        del pool


def test_a_pool_does_not_travel() -> None:
    with ThreadPool(1) as pool, pytest.raises(NotImplementedError):
        pool.__reduce__()


def test_a_pool_that_is_open_at_the_end_of_its_program_does_not_hold_it_up(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import time\n"
        "from lightwork import multiprocessing as mp\n"
        "pool = mp.Pool(1)\n"
        "pool.apply_async(time.sleep, (600,))\n"
        "print(pool.apply_async(abs, (-1,)).ready())\n"
    )

    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout) == (0, "False\n")


def test_an_item_that_raises_stop_iteration_does_not_end_the_loop_of_who_reads() -> None:
    with mp.Pool(1) as pool:
        results = pool.imap(targets.end_at_seven, range(20))
        assert [next(results) for _ in range(7)] == [*range(7)]
        with pytest.raises(RuntimeError, match="StopIteration"):
            next(results)
        assert list(results) == [*range(8, 20)]


def test_a_map_that_is_interrupted_just_when_it_has_started_a_call_leaves_no_error_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # The children give what waits behind a long item back, so the map hears of calls that it does not know.
    start = Batcher.trial

    def start_and_interrupt(*arguments: Any) -> Any:
        monkeypatch.setattr(Batcher, "trial", start)
        start(*arguments)
        raise KeyboardInterrupt

    with pool_at("processes", 2) as pool:
        assert pool.map(targets.double, range(4)) == [0, 2, 4, 6]
        monkeypatch.setattr(Batcher, "trial", start_and_interrupt)
        with pytest.raises(KeyboardInterrupt):
            pool.map(time.sleep, [0.05] * 20)
        assert pool.map(targets.double, range(4)) == [0, 2, 4, 6]
        pool.close()
        pool.join()

    assert caplog.records == []
