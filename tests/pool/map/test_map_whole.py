"""Maps of what has a length: they run to the end, read or not."""

import gc
import itertools
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from whole_calls import add, square, touch

from lightwork.errors import UsageError
from lightwork.pool.call.future import Future
from lightwork.pool.call.options import CallOptions
from lightwork.pool.executor.executor import Executor
from lightwork.pool.executor.inline import InlineExecutor
from lightwork.pool.map.results import Results
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from waiting import wait_until

MANY = 3000
MAKERS: list[Callable[[], Executor]] = [
    InlineExecutor,
    lambda: ThreadExecutor(2),
    lambda: ProcessExecutor(1),
]
everywhere = pytest.mark.parametrize("make", MAKERS, ids=["inline", "threads", "processes"])


class HeldExecutor(Executor):
    """Runs nothing until it is told to."""

    def __init__(self) -> None:
        self._max_workers = 1
        self.held: list[tuple[Future[Any], Callable[[], Any]]] = []
        self.started = 0

    def start_call(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> Future[Any]:
        future: Future[Any] = Future()
        self.held.append((future, lambda: fn(*args, **kwargs)))
        self.started += 1
        return future

    def run_held(self) -> None:
        held, self.held = self.held, []
        for future, run in held:
            if future.set_running_or_notify_cancel():
                future.set_result(run())


class WithoutLength:
    """A wrapper that has a length only if what it wraps has one."""

    def __init__(self, items: Iterator[int]) -> None:
        self._items = items

    def __iter__(self) -> Iterator[int]:
        return self._items

    def __len__(self) -> int:
        return len(self._items)  # type: ignore[arg-type]


# Read or not


@everywhere
def test_a_map_that_nobody_reads_runs_whole(make: Callable[[], Executor], tmp_path: Path) -> None:
    with make() as executor:
        executor.map(touch, [str(tmp_path / str(number)) for number in range(MANY)])

    assert len(list(tmp_path.iterdir())) == MANY


@everywhere
def test_results_can_be_read_after_the_end(make: Callable[[], Executor]) -> None:
    with make() as executor:
        results = executor.map(square, range(MANY), chunksize=1)

    assert list(results) == [number**2 for number in range(MANY)]


@pytest.mark.parametrize("chunksize", [1, 7, "auto"])
def test_unordered_results_can_be_read_after_the_end(chunksize: Any) -> None:
    with ThreadExecutor(2) as executor:
        results = executor.map(square, range(MANY), chunksize=chunksize, ordered=False)

    assert sorted(results) == [number**2 for number in range(MANY)]


def test_a_starmap_runs_whole() -> None:
    with ThreadExecutor(2) as executor:
        results = executor.starmap(add, [(number, 1) for number in range(MANY)])

    assert list(results) == list(range(1, MANY + 1))


def test_an_endless_companion_does_not_make_a_map_lazy() -> None:
    with ThreadExecutor(2) as executor:
        results = executor.map(add, range(MANY), itertools.repeat(1))
        others = executor.map(add, range(MANY), itertools.count())

    assert list(results) == list(range(1, MANY + 1))
    assert list(others) == list(range(0, 2 * MANY, 2))


def test_what_the_input_becomes_after_the_call_does_not_matter() -> None:
    executor = HeldExecutor()
    numbers = list(range(MANY))
    results = executor.map(square, numbers)

    numbers.clear()
    for _ in range(MANY):
        executor.run_held()

    assert list(results) == [number**2 for number in range(MANY)]


def test_results_that_are_dropped_at_once_do_not_end_the_map() -> None:
    executor = HeldExecutor()
    ran: list[int] = []

    executor.map(ran.append, range(MANY))
    gc.collect()
    for _ in range(MANY):
        executor.run_held()

    assert ran == list(range(MANY))


def test_a_program_that_only_ends_runs_its_maps_whole(tmp_path: Path) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import lightwork as lw
from whole_calls import touch
for where in ("threads:2", "processes:1"):
    paths = [f"{tmp_path}/{{where}}-{{number}}" for number in range({MANY})]
    lw.executor(where).map(touch, paths)
"""

    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

    assert len(list(tmp_path.iterdir())) == 2 * MANY


# Not all at once


def test_calls_are_started_as_others_end() -> None:
    executor = HeldExecutor()

    with closing(executor.map(square, range(10_000_000))):
        before = executor.started
        executor.run_held()
        after = executor.started

    assert 0 < before <= 64
    assert 0 < after - before <= 64


def test_large_items_are_not_all_under_way_at_once() -> None:
    executor = HeldExecutor()

    with closing(executor.map(len, [bytes(16 << 20)] * 100, chunksize=1)):
        assert executor.started <= 5


# The end


def test_closing_cancels_the_rest_of_a_map_that_nobody_has_read() -> None:
    executor = HeldExecutor()
    results = executor.map(square, range(MANY))

    results.close()

    assert all(future.cancelled() for future, _ in executor.held)
    assert executor.started < MANY


def test_leaving_a_loop_cancels_the_rest() -> None:
    executor = HeldExecutor()
    results = executor.map(square, range(MANY), chunksize=1)
    executor.run_held()

    for _ in results:
        break
    del results
    started = executor.started
    executor.run_held()

    assert executor.started == started < MANY


def test_the_wait_of_a_shutdown_is_for_what_is_still_to_start() -> None:
    gate = threading.Event()
    executor = ThreadExecutor(1)
    results = executor.map(lambda _: gate.wait(30), range(MANY), chunksize=1)

    executor.shutdown(wait=False)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(square, 1)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.map(square, [1])
    gate.set()

    assert list(results) == [True] * MANY
    wait_until(
        lambda: not any(thread.is_alive() for thread in executor._threads), "all threads ended"
    )


def test_a_shutdown_that_cancels_withdraws_what_was_not_started() -> None:
    begun, gate = threading.Event(), threading.Event()

    def wait_for_gate(number: int) -> int:
        begun.set()
        assert gate.wait(30)
        return number

    executor = ThreadExecutor(1)
    results = executor.map(wait_for_gate, range(MANY), chunksize=1)
    assert begun.wait(30)

    executor.shutdown(wait=False, cancel_futures=True)
    gate.set()

    assert next(results) == 0
    with pytest.raises(CancelledError):
        list(results)


def test_a_callback_that_shuts_the_executor_down_does_not_wait_for_itself() -> None:
    executor = ThreadExecutor(1)
    gate = threading.Event()
    first = executor.submit(gate.wait, 30)
    first.add_done_callback(lambda _: executor.shutdown(wait=True))
    results = executor.map(square, range(MANY), chunksize=1)
    gate.set()

    assert list(results) == [number**2 for number in range(MANY)]


def test_a_pool_that_breaks_tells_the_reader() -> None:
    def fail() -> None:
        raise LookupError("no")

    with ProcessExecutor(1, initializer=fail) as executor:
        results = executor.map(square, range(1_000_000))

        with pytest.raises(RuntimeError):
            list(results)


# Lazy


def test_leaving_the_block_of_a_lazy_map_that_nobody_read_raises() -> None:
    with pytest.raises(UsageError, match="were never used"), ThreadExecutor(2) as executor:
        results = executor.map(square, itertools.count())

    with pytest.raises(RuntimeError, match="after shutdown"):
        list(results)


@pytest.mark.filterwarnings("ignore:the results of a map were never used:RuntimeWarning")
def test_leaving_the_block_raises_for_dropped_results_too() -> None:
    with pytest.raises(UsageError, match="first 2 items"), InlineExecutor() as executor:
        executor.map(square, range(MANY), buffersize=2)


def test_an_error_in_the_block_is_not_hidden_by_a_map_that_nobody_read() -> None:
    def leave_by_an_error() -> None:
        with ThreadExecutor(2) as executor:
            kept.append(executor.map(square, itertools.count()))
            raise LookupError

    kept: list[Results[int]] = []

    with pytest.raises(LookupError):
        leave_by_an_error()
    kept.pop().close()


@pytest.mark.parametrize("ends", ["closed", "read in part", "read whole"])
def test_leaving_the_block_is_silent_for_lazy_maps_that_were(ends: str) -> None:
    with ThreadExecutor(2) as executor:
        results = executor.map(square, iter(range(MANY)))
        if ends == "closed":
            results.close()
        else:
            list(itertools.islice(results, 5 if ends == "read in part" else None))


def test_a_length_that_is_only_promised_makes_a_lazy_map() -> None:
    with ThreadExecutor(2) as executor:
        results = executor.map(square, WithoutLength(iter(range(MANY))))

        assert list(results) == [number**2 for number in range(MANY)]
