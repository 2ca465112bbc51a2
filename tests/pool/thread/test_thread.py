"""ThreadExecutor: the standard library's meaning, priorities and deadlines."""

import gc
import os
import threading
import weakref
from collections.abc import Iterator
from concurrent import futures
from concurrent.futures.thread import BrokenThreadPool

import pytest

from lightwork.errors import PoolError, UsageError
from lightwork.model import Progress
from lightwork.pool.call.current import current
from lightwork.pool.call.options import CallOptions
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.tasks.task import task
from waiting import wait_until


@pytest.fixture
def single() -> Iterator[ThreadExecutor]:
    with ThreadExecutor(1) as made:
        yield made


@pytest.fixture
def gate(single: ThreadExecutor) -> Iterator[threading.Event]:
    """The single thread is busy until this is set."""
    opened, entered = threading.Event(), threading.Event()

    def block() -> None:
        entered.set()
        opened.wait(20)

    single.submit(block)
    assert entered.wait(20)
    yield opened
    opened.set()


# Calls


def test_a_call_returns_its_result(single: ThreadExecutor) -> None:
    assert single.submit(pow, 2, 8).result() == 256


def test_a_call_keeps_every_keyword(single: ThreadExecutor) -> None:
    future = single.submit(lambda *args, **kwargs: (args, kwargs), 1, fn=2, self=3, options=4)

    assert future.result() == ((1,), {"fn": 2, "self": 3, "options": 4})


def test_a_call_raises_its_exception(single: ThreadExecutor) -> None:
    with pytest.raises(ZeroDivisionError):
        single.submit(divmod, 1, 0).result()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_whatever_a_call_raises_belongs_to_its_future(
    single: ThreadExecutor, kind: type[BaseException]
) -> None:
    def fail() -> None:
        raise kind

    assert type(single.submit(fail).exception()) is kind
    assert single.submit(pow, 2, 2).result() == 4


def test_waiting_works_with_the_standard_library(single: ThreadExecutor) -> None:
    calls = [single.submit(pow, n, 2) for n in range(5)]

    done, _ = futures.wait(calls, timeout=20)

    assert {future.result() for future in done} == {0, 1, 4, 9, 16}


def test_many_threads_submit_at_once() -> None:
    results: list[int] = []
    lock = threading.Lock()

    def submit_some(executor: ThreadExecutor) -> None:
        sums = [executor.submit(int, n) for n in range(500)]
        with lock:
            results.append(sum(future.result() for future in sums))

    with ThreadExecutor(3) as executor:
        threads = [threading.Thread(target=submit_some, args=(executor,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert results == [sum(range(500))] * 8


def test_ten_thousand_tiny_items_are_mapped() -> None:
    with ThreadExecutor(2) as executor:
        assert list(executor.map(int, range(10_000))) == list(range(10_000))


# Order


def test_higher_priority_starts_first(single: ThreadExecutor, gate: threading.Event) -> None:
    order: list[int] = []
    calls = [
        single.start_call(order.append, (priority,), {}, CallOptions(priority=priority))
        for priority in (0, 5, -5, 9)
    ]

    gate.set()
    futures.wait(calls, timeout=20)

    assert order == [9, 5, 0, -5]


def test_equals_start_in_the_order_of_submission(
    single: ThreadExecutor, gate: threading.Event
) -> None:
    order: list[int] = []
    calls = [single.submit(order.append, n) for n in range(50)]

    gate.set()
    futures.wait(calls, timeout=20)

    assert order == list(range(50))


def test_the_priority_of_a_task_is_honoured(single: ThreadExecutor, gate: threading.Event) -> None:
    order: list[str] = []
    calls = [
        single.submit(order.append, "plain"),
        single.submit(task(priority=1)(order.append), "first"),
    ]

    gate.set()
    futures.wait(calls, timeout=20)

    assert order == ["first", "plain"]


# Threads


def test_threads_are_started_when_needed() -> None:
    with ThreadExecutor(4) as executor:
        assert len(executor._threads) == 0


def test_an_idle_thread_is_used_again() -> None:
    with ThreadExecutor(4) as executor:
        for _ in range(5):
            executor.submit(int).result()
            wait_until(lambda: executor._calls.idle == 1, "the thread is idle")

        assert len(executor._threads) == 1


def test_no_more_threads_than_max_workers() -> None:
    barrier = threading.Barrier(3)
    with ThreadExecutor(3) as executor:
        calls = [executor.submit(barrier.wait, 20) for _ in range(9)]
        futures.wait(calls, timeout=20)

        assert len(executor._threads) == 3


def test_the_default_number_of_threads_is_that_of_the_standard_library() -> None:
    assert ThreadExecutor()._max_workers == min(32, (os.cpu_count() or 1) + 4)


def test_threads_are_named() -> None:
    with ThreadExecutor(1, thread_name_prefix="mine") as executor:
        assert executor.submit(threading.current_thread).result().name == "mine_0"


def test_threads_have_a_name_by_default(single: ThreadExecutor) -> None:
    name = single.submit(threading.current_thread).result().name

    assert name.startswith("lightwork-thread-")
    assert name.endswith("_0")


@pytest.mark.parametrize("count", [0, -1])
def test_without_workers_there_is_no_executor(count: int) -> None:
    with pytest.raises(UsageError, match="max_workers must be greater than 0"):
        ThreadExecutor(count)


def test_an_initializer_must_be_callable() -> None:
    with pytest.raises(TypeError, match="initializer must be a callable"):
        ThreadExecutor(1, initializer="no")  # type: ignore[arg-type]


def test_the_initializer_runs_once_per_thread() -> None:
    seen: list[str] = []

    with ThreadExecutor(1, initializer=seen.append, initargs=("x",)) as executor:
        executor.submit(int).result()
        executor.submit(int).result()

    assert seen == ["x"]


def fail_to_start() -> None:
    raise LookupError("no data")


def test_a_failed_initializer_fails_pending_calls() -> None:
    with ThreadExecutor(1, initializer=fail_to_start) as executor:
        error = executor.submit(int).exception(20)

    assert isinstance(error, PoolError)
    assert isinstance(error, BrokenThreadPool)
    assert isinstance(error.__cause__, LookupError)


def test_a_failed_initializer_refuses_further_calls() -> None:
    with ThreadExecutor(1, initializer=fail_to_start) as executor:
        executor.submit(int).exception(20)

        with pytest.raises(BrokenThreadPool, match="no data"):
            executor.submit(int)


# Cancelling


def test_a_waiting_call_can_be_cancelled(single: ThreadExecutor, gate: threading.Event) -> None:
    ran = threading.Event()
    future = single.submit(ran.set)

    assert future.cancel()
    gate.set()
    single.submit(int).result(20)

    assert not ran.is_set()


def test_a_running_call_cannot_be_killed_but_is_asked_to_stop(single: ThreadExecutor) -> None:
    started = threading.Event()

    def work_until_cancelled() -> str:
        call = current()
        started.set()
        wait_until(lambda: call.cancelled, "asked to stop")
        return "stopped"

    future = single.submit(work_until_cancelled)
    assert started.wait(20)

    assert not future.cancel(running="kill")
    assert future.result(20) == "stopped"


def test_a_plain_cancel_does_not_disturb_a_running_call(
    single: ThreadExecutor, gate: threading.Event
) -> None:
    started, go_on = threading.Event(), threading.Event()

    def look() -> bool:
        started.set()
        go_on.wait(20)
        return current().cancelled

    gate.set()
    future = single.submit(look)
    assert started.wait(20)

    assert not future.cancel()
    go_on.set()
    assert future.result(20) is False


# Time-outs


def test_a_call_fails_at_its_deadline_though_its_thread_runs_on(single: ThreadExecutor) -> None:
    release = threading.Event()
    future = single.start_call(release.wait, (20,), {}, CallOptions(timeout=0.05))

    with pytest.raises(TimeoutError, match=r"timeout of 0\.05 s"):
        future.result(20)

    release.set()
    assert single.submit(pow, 2, 2).result(20) == 4


def test_a_call_past_its_deadline_is_asked_to_stop(single: ThreadExecutor) -> None:
    stopped = threading.Event()

    def work() -> None:
        call = current()
        wait_until(lambda: call.cancelled, "asked to stop")
        stopped.set()

    future = single.submit(task(timeout=0.05)(work))

    assert isinstance(future.exception(20), TimeoutError)
    assert stopped.wait(20)


def test_a_call_within_its_time_is_not_failed(single: ThreadExecutor) -> None:
    future = single.start_call(pow, (2, 3), {}, CallOptions(timeout=100))

    assert future.result(20) == 8


def test_an_earlier_deadline_overtakes_a_later_one() -> None:
    release = threading.Event()
    with ThreadExecutor(2) as executor:
        late = executor.start_call(release.wait, (20,), {}, CallOptions(timeout=100))
        wait_until(late.running, "the late call runs")
        early = executor.start_call(release.wait, (20,), {}, CallOptions(timeout=0.05))

        assert isinstance(early.exception(20), TimeoutError)
        assert not late.done()
        release.set()


def test_the_time_in_the_line_does_not_count(single: ThreadExecutor, gate: threading.Event) -> None:
    future = single.start_call(pow, (2, 3), {}, CallOptions(timeout=0.5))
    passed = threading.Event()
    threading.Timer(0.6, passed.set).start()

    assert passed.wait(20)
    gate.set()

    assert future.result(20) == 8


def test_shutdown_ends_the_thread_of_the_deadlines() -> None:
    with ThreadExecutor(1) as executor:
        executor.start_call(int, (), {}, CallOptions(timeout=100)).result(20)
        clock = executor._calls.timers._thread

    assert clock is None or not clock.is_alive()


# The running call


def test_current_names_the_thread(single: ThreadExecutor) -> None:
    names = single.submit(lambda: (current().worker, threading.current_thread().name)).result(20)

    assert names[0] == names[1]


def test_progress_reaches_the_listener(single: ThreadExecutor) -> None:
    seen: list[Progress] = []

    def work() -> None:
        current().progress(1, 4, "reading")

    single.start_call(work, (), {}, CallOptions(on_progress=seen.append)).result(20)

    assert seen == [Progress(done=1, total=4, note="reading")]


def test_a_listener_that_fails_does_not_fail_the_call(
    single: ThreadExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Progress) -> None:
        raise LookupError("listener")

    def work() -> str:
        current().progress(1)
        return "done"

    future = single.start_call(work, (), {}, CallOptions(on_progress=fail))

    assert future.result(20) == "done"
    assert "on_progress_failed" in caplog.text


# References


class Thing:
    def method(self) -> None:
        pass


def test_arguments_are_dropped_after_the_call(single: ThreadExecutor) -> None:
    thing = Thing()
    kept = weakref.ref(thing)

    single.submit(thing.method)
    del thing

    wait_until(lambda: kept() is None, "the argument is gone")


def test_a_result_lives_as_long_as_its_future(single: ThreadExecutor) -> None:
    future = single.submit(Thing)
    kept = weakref.ref(future.result(20))

    del future

    wait_until(lambda: kept() is None, "the result is gone")


def test_a_failed_call_makes_no_reference_cycle(single: ThreadExecutor) -> None:
    def fail(thing: Thing) -> None:
        raise ValueError(thing.__class__)

    gc.collect()
    gc.disable()
    try:
        thing = Thing()
        kept = weakref.ref(thing)
        future = single.submit(fail, thing)
        future.exception(20)
        del thing, future
        wait_until(lambda: kept() is None, "the argument is gone without the garbage collector")
    finally:
        gc.enable()
