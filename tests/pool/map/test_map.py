"""Mapping over an executor."""

import gc
import itertools
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from lightwork.errors import UsageError, WorkerLost
from lightwork.pool.call.future import Future
from lightwork.pool.call.options import CallOptions
from lightwork.pool.executor.executor import Executor
from lightwork.pool.map import batch_size
from lightwork.pool.map.options import MapOptions
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.tasks.task import TaskOptions, task
from waiting import wait_until


@pytest.fixture
def executor() -> Iterator[ThreadExecutor]:
    with ThreadExecutor(2) as made:
        yield made


class StepExecutor(Executor):
    """Runs calls only when told to: what is submitted can be counted."""

    def __init__(self, slots: int = 1) -> None:
        self._max_workers = slots
        self.pending: list[tuple[Future[Any], Callable[[], Any]]] = []
        self.is_closed = False

    def start_call(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> Future[Any]:
        if self.is_closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: Future[Any] = Future()
        self.pending.append((future, lambda: fn(*args, **kwargs)))
        return future

    def run_pending(self) -> None:
        pending, self.pending = self.pending, []
        for future, run in pending:
            if future.set_running_or_notify_cancel():
                future.set_result(run())

    def lose_pending(self) -> None:
        pending, self.pending = self.pending, []
        for future, _ in pending:
            future.set_running_or_notify_cancel()
            future.set_exception(WorkerLost("child died.", exitcode=-9, pid=7))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.is_closed = True


class Counter:
    """An infinite input that knows how much of it was taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[int]:
        while True:
            self.taken += 1
            yield self.taken - 1


def square(n: int) -> int:
    return n * n


class Falsey(Exception):  # noqa: N818
    def __bool__(self) -> bool:
        return False


# Results


def test_results_come_in_order(executor: ThreadExecutor) -> None:
    assert list(executor.map(square, range(10_000))) == [n * n for n in range(10_000)]


@pytest.mark.parametrize("chunksize", [1, 3, 7, 100, "auto"])
@pytest.mark.parametrize("count", [0, 1, 6, 100])
def test_every_item_is_mapped_whatever_the_chunks(
    executor: ThreadExecutor, chunksize: Any, count: int
) -> None:
    results = executor.map(square, iter(range(count)), chunksize=chunksize)

    assert list(results) == [n * n for n in range(count)]


@pytest.mark.parametrize("chunksize", [1, 2, "auto"])
def test_several_inputs_are_zipped_to_the_shortest(
    executor: ThreadExecutor, chunksize: Any
) -> None:
    results = executor.map(pow, [2, 3, 4], itertools.count(1), chunksize=chunksize)

    assert list(results) == [2, 9, 64]


def test_without_inputs_there_are_no_results(executor: ThreadExecutor) -> None:
    assert list(executor.map(square)) == []


@pytest.mark.parametrize("ordered", [True, False])
def test_an_infinite_input_is_mapped_lazily(executor: ThreadExecutor, *, ordered: bool) -> None:
    results = executor.map(square, itertools.count(), ordered=ordered)

    first = list(itertools.islice(results, 1000))

    assert len(set(first)) == 1000
    assert {int(n**0.5) ** 2 for n in first} == set(first)


def test_unordered_results_overtake_a_slow_item(executor: ThreadExecutor) -> None:
    gate = threading.Event()

    def wait_for_gate(n: int) -> int:
        assert n or gate.wait(20)
        return n

    results = executor.map(wait_for_gate, range(5), ordered=False, chunksize=1)
    early = [next(results) for _ in range(4)]
    gate.set()

    assert sorted(early) == [1, 2, 3, 4]
    assert list(results) == [0]


def test_a_slow_item_does_not_stop_what_comes_after_it() -> None:
    gate, seen = threading.Event(), set()

    def wait_for_last(n: int) -> int:
        seen.add(n)
        if n == 299:
            gate.set()
        assert n or gate.wait(20)
        return n

    with ThreadExecutor(2) as executor:
        results = list(executor.map(wait_for_last, iter(range(300)), chunksize=1, buffersize=300))

    assert results == list(range(300))


# Laziness


def test_work_starts_before_the_first_result_is_asked_for() -> None:
    executor = StepExecutor()

    results = executor.map(square, itertools.count())

    assert executor.pending
    results.close()


def test_few_items_are_all_submitted_at_the_call(executor: ThreadExecutor) -> None:
    seen: list[int] = []

    executor.map(seen.append, range(1000))
    executor.shutdown()

    assert sorted(seen) == list(range(1000))


def test_results_of_few_items_outlive_the_executor() -> None:
    with ThreadExecutor(2) as executor:
        results = executor.map(square, range(1000))

    assert list(results) == [n * n for n in range(1000)]


def test_items_not_taken_before_the_shutdown_are_missed_loudly() -> None:
    executor = StepExecutor()
    results = executor.map(square, itertools.count(), buffersize=2)
    executor.shutdown()
    executor.run_pending()

    with pytest.raises(RuntimeError, match="after shutdown") as caught:
        list(results)

    assert "map had taken 2 items" in caught.value.__notes__[0]


def test_dropping_unused_results_warns_if_items_are_left() -> None:
    results = StepExecutor().map(square, itertools.count())

    with pytest.warns(RuntimeWarning, match="results of a map were never used"):
        del results


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("chunksize", [1, 3, 100, "auto"])
@pytest.mark.parametrize("buffersize", [1, 2, 7, 64])
def test_never_more_than_buffersize_items_are_taken_ahead(
    executor: ThreadExecutor, chunksize: Any, buffersize: int, *, ordered: bool
) -> None:
    source = Counter()
    results = executor.map(
        square, source, chunksize=chunksize, buffersize=buffersize, ordered=ordered
    )
    ahead = []

    for yielded in range(200):
        ahead.append(source.taken - yielded)
        next(results)

    assert max(ahead) == buffersize or (chunksize == 3 and max(ahead) == buffersize // 3 * 3)


def test_the_automatic_window_is_bounded() -> None:
    executor, source = StepExecutor(slots=2), Counter()
    results = executor.map(square, source)

    for _ in range(50):
        executor.run_pending()
        next(results)

    assert source.taken < 50 + 2 * batch_size.MAX_CHUNK * 4 * 2
    results.close()


def test_the_automatic_window_is_bounded_by_bytes() -> None:
    executor, source = StepExecutor(slots=2), Counter()
    results = executor.map(square, (bytes(4 << 20) for _ in source))

    assert source.taken <= 64 // 4 + 1
    results.close()


def test_an_input_that_fails_ends_the_map(executor: ThreadExecutor) -> None:
    def broken_input() -> Iterator[int]:
        yield 1
        raise LookupError("input")

    with pytest.raises(LookupError, match="input"):
        list(executor.map(square, broken_input(), chunksize=1, buffersize=1))


# Failures


@pytest.mark.parametrize("chunksize", [1, 2, 10, "auto"])
def test_an_exception_is_raised_in_its_items_place(
    executor: ThreadExecutor, chunksize: Any
) -> None:
    results = executor.map(divmod, [1, 1, 1, 1], [2, 3, 0, 5], chunksize=chunksize)

    assert [next(results), next(results)] == [(0, 1), (0, 1)]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []


def test_an_exception_cancels_the_rest() -> None:
    executor = StepExecutor()
    results = executor.map(divmod, [1, 1], [0, 1], chunksize=1)
    rest = [future for future, _ in executor.pending]
    rest[0].set_running_or_notify_cancel()
    rest[0].set_exception(ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        next(results)

    assert rest[1].cancelled()


@pytest.mark.parametrize("chunksize", [1, 2, 10, "auto"])
def test_returned_errors_stand_in_their_items_place(
    executor: ThreadExecutor, chunksize: Any
) -> None:
    results = executor.map(divmod, [1] * 4, [2, 0, 0, 5], chunksize=chunksize, errors="return")

    kinds = [type(result) for result in results]

    assert kinds == [tuple, ZeroDivisionError, ZeroDivisionError, tuple]


def test_a_falsey_exception_is_still_raised(executor: ThreadExecutor) -> None:
    def fail(_: int) -> None:
        raise Falsey

    for chunksize in (1, 2):
        with pytest.raises(Falsey):
            list(executor.map(fail, range(4), chunksize=chunksize))


def test_a_system_exit_fails_only_its_item(executor: ThreadExecutor) -> None:
    def leave(n: int) -> int:
        return sys.exit(3) if n == 2 else n

    results = list(executor.map(leave, range(4), chunksize=4, errors="return"))

    assert [type(result) for result in results] == [int, int, SystemExit, int]


def test_stop_iteration_fails_only_its_item(executor: ThreadExecutor) -> None:
    def stop(n: int) -> int:
        return next(iter(())) if n == 2 else n

    results = list(executor.map(stop, range(4), chunksize=4, errors="return"))

    assert [type(result) for result in results] == [int, int, RuntimeError, int]


def test_a_lost_chunk_fails_each_of_its_items_with_its_own_error() -> None:
    executor = StepExecutor()
    results = executor.map(square, range(6), chunksize=3, errors="return")
    executor.lose_pending()

    lost: list[Any] = list(results)

    assert len({id(error) for error in lost}) == 6
    assert {(type(error), error.exitcode, error.pid) for error in lost} == {(WorkerLost, -9, 7)}
    assert "items 3 to 5" in str(lost[4])


def test_a_lost_single_item_keeps_its_error() -> None:
    executor = StepExecutor()
    results = executor.map(square, range(1), chunksize=1)
    executor.lose_pending()

    with pytest.raises(WorkerLost, match=r"^child died\.$"):
        next(results)


def test_a_cancelled_chunk_raises_cancelled() -> None:
    executor = StepExecutor()
    results = executor.map(square, range(4), chunksize=2)
    executor.pending[0][0].cancel()

    with pytest.raises(CancelledError):
        next(results)


def test_a_late_result_raises_timeout_error() -> None:
    results = StepExecutor().map(square, range(4), timeout=0.01)

    with pytest.raises(TimeoutError, match=r"no result within 0\.01 s"):
        next(results)


def test_the_timeout_does_not_hide_finished_results() -> None:
    executor = StepExecutor()
    results = executor.map(square, [2], timeout=0)
    executor.run_pending()

    assert next(results) == 4


def test_a_timeout_cancels_the_rest() -> None:
    executor = StepExecutor()
    results = executor.map(square, range(4), timeout=0, chunksize=1)

    with pytest.raises(TimeoutError):
        next(results)

    assert all(future.cancelled() for future, _ in executor.pending)


# The end


def test_closing_cancels_what_has_not_started() -> None:
    executor = StepExecutor()
    results = executor.map(square, itertools.count(), chunksize=1, buffersize=5)
    executor.run_pending()
    next(results)
    next(results)

    results.close()

    assert executor.pending
    assert all(future.cancelled() for future, _ in executor.pending)


def test_dropping_the_iterator_cancels_what_has_not_started() -> None:
    executor = StepExecutor()
    results = executor.map(square, itertools.count(), chunksize=1, buffersize=5)
    executor.run_pending()
    next(results)
    next(results)

    del results
    gc.collect()

    assert executor.pending
    assert all(future.cancelled() for future, _ in executor.pending)


@pytest.mark.parametrize("chunksize", [1, 3, "auto"])
@pytest.mark.parametrize("ordered", [True, False])
def test_no_result_is_kept_after_it_was_yielded(
    executor: ThreadExecutor, chunksize: Any, *, ordered: bool
) -> None:
    class Thing:
        pass

    gc.disable()
    try:
        for thing in executor.map(lambda _: Thing(), range(10), chunksize=chunksize):
            kept = weakref.ref(thing)
            del thing
            # The thread may still be leaving the call.
            wait_until(lambda kept=kept: kept() is None, "the result is gone")  # type: ignore[misc]
    finally:
        gc.enable()


def test_what_is_left_of_a_chunk_goes_when_the_results_are_closed(executor: ThreadExecutor) -> None:
    results = executor.map(square, range(10), chunksize=10)
    assert next(results) == 0

    results.close()

    assert list(results) == []


# Policies and options


def test_a_task_with_a_timeout_runs_one_item_per_call() -> None:
    executor = StepExecutor()

    executor.map(task(timeout=5)(square), range(3))

    assert len(executor.pending) == 3


@pytest.mark.parametrize("policy", [{"timeout": 5.0}, {"max_memory": "1G"}])
def test_a_task_with_a_limit_refuses_larger_chunks(policy: TaskOptions) -> None:
    with pytest.raises(UsageError, match="one item per call"):
        StepExecutor().map(task(**policy)(square), range(3), chunksize=2)


@pytest.mark.parametrize(
    "options",
    [
        {"chunksize": 0},
        {"chunksize": "large"},
        {"chunksize": 1.5},
        {"chunksize": True},
        {"buffersize": 0},
        {"buffersize": "auto"},
        {"errors": "ignore"},
        {"timeout": "5"},
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: Any) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        MapOptions(**options)
