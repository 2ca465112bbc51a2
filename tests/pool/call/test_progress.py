"""Progress that a call reports: its future and whoever listens hear of the last report."""

from collections.abc import Callable, Iterator

import pytest
from progress_calls import (
    double,
    report,
    report_async,
    report_what_cannot_travel,
    report_what_cannot_travel_async,
)

from lightwork.errors import UsageError
from lightwork.model import Progress
from lightwork.pool.executor.executor import Executor
from lightwork.pool.executor.inline import InlineExecutor
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.pool.thread.interpreter import InterpreterExecutor
from lightwork.pool.thread.subinterpreter import why_no_interpreters
from lightwork.tasks.task import call, task

MAKERS: list[Callable[[], Executor]] = [
    InlineExecutor,
    lambda: ThreadExecutor(2),
    lambda: ProcessExecutor(1),
]
NAMES = ["inline", "threads", "processes"]
if not why_no_interpreters():
    MAKERS.append(lambda: InterpreterExecutor(1))
    NAMES.append("interpreters")

LAST = Progress(done=26, total=30, note="step 26")


@pytest.fixture(params=MAKERS, ids=NAMES)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with request.param() as made:
        yield made


@pytest.mark.parametrize("fn", [report, report_async])
def test_a_future_knows_the_last_report(executor: Executor, fn: Callable[[int], int]) -> None:
    future = executor.submit(fn, 26)
    future.result(30)

    assert future.progress == LAST


def test_a_call_that_reports_nothing_has_no_progress(executor: Executor) -> None:
    future = executor.submit(double, 26)
    future.result(30)

    assert future.progress is None


@pytest.mark.parametrize("fn", [report, report_async])
def test_the_last_report_is_heard_before_the_result(
    executor: Executor, fn: Callable[[int], int]
) -> None:
    heard: list[Progress] = []
    at_the_end: list[Progress] = []

    future = executor.submit(call(fn, on_progress=heard.append), 26)
    future.add_done_callback(lambda _: at_the_end.extend(heard[-1:]))
    future.result(30)

    assert heard[-1] == LAST
    assert at_the_end == [LAST]


def test_a_map_tells_which_item_reports(executor: Executor) -> None:
    heard: list[Progress] = []

    results = list(executor.map(report, [3, 4], on_progress=heard.append))

    assert results == [3, 4]
    last = {progress.item: progress.done for progress in heard}
    assert last == {0: 3, 1: 4}


def test_a_listener_that_raises_harms_no_call(executor: Executor) -> None:
    def fail(_: Progress) -> None:
        raise LookupError

    assert executor.submit(call(report, on_progress=fail), 3).result(30) == 3


@pytest.mark.parametrize("fn", [report_what_cannot_travel, report_what_cannot_travel_async])
def test_a_last_report_that_cannot_be_pickled_harms_no_call(
    single: ProcessExecutor, fn: Callable[[int], int]
) -> None:
    assert single.submit(fn, 3).result(30) == 3


# Options of one call


def test_a_call_with_options_is_the_function(executor: Executor) -> None:
    assert executor.submit(call(double, timeout=30, priority=1), 4).result(30) == 8
    assert call(double, timeout=30)(4) == 8


def test_the_options_of_a_call_hold_for_each_item_of_a_map(executor: Executor) -> None:
    with pytest.raises(UsageError, match="one item per call"):
        executor.map(call(double, timeout=30), range(3), chunksize=2)

    assert list(executor.map(call(double, timeout=30), range(3))) == [0, 2, 4]


def test_options_of_a_call_of_a_task_are_changes_of_its_own() -> None:
    declared = task(double, retries=3)

    called = call(declared, timeout=5)

    assert (called.policy.retries, called.policy.timeout) == (3, 5)
    assert called.name == declared.name
    assert declared.policy.timeout == 0


def test_an_option_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="timeout"):
        call(double, timeout=-1)
