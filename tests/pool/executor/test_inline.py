"""InlineExecutor: calls run where they are submitted."""

import itertools
import threading

import pytest

from lightwork.model import Progress
from lightwork.pool.call.current import current
from lightwork.pool.call.options import CallOptions
from lightwork.pool.executor.inline import InlineExecutor


def test_a_call_is_done_when_submit_returns() -> None:
    future = InlineExecutor().submit(pow, 2, 8)

    assert future.done()
    assert future.result(0) == 256


def test_a_call_runs_in_the_submitting_thread() -> None:
    thread = InlineExecutor().submit(threading.current_thread).result()

    assert thread is threading.current_thread()


@pytest.mark.parametrize("kind", [ValueError, SystemExit, GeneratorExit])
def test_what_a_call_raises_belongs_to_its_future(kind: type[BaseException]) -> None:
    def fail() -> None:
        raise kind

    assert type(InlineExecutor().submit(fail).exception(0)) is kind


def test_an_interrupt_leaves_submit() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        InlineExecutor().submit(interrupt)


def test_nothing_can_be_submitted_after_shutdown() -> None:
    with InlineExecutor() as executor:
        pass

    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(int)


def test_map_runs_an_item_when_its_result_is_asked_for() -> None:
    seen: list[int] = []
    results = InlineExecutor().map(seen.append, itertools.count())

    next(results)
    next(results)

    assert seen == [0, 1]


def test_map_of_a_finite_input_ends() -> None:
    with InlineExecutor() as executor:
        assert list(executor.map(pow, range(5), [2] * 5)) == [0, 1, 4, 9, 16]


def test_progress_reaches_the_listener() -> None:
    seen: list[Progress] = []
    options = CallOptions(on_progress=seen.append)

    InlineExecutor().start_call(lambda: current().progress(1, 2), (), {}, options)

    assert seen == [Progress(done=1, total=2)]


def test_a_call_may_submit_another() -> None:
    executor = InlineExecutor()

    future = executor.submit(lambda: executor.submit(pow, 2, 3).result() + 1)

    assert future.result(0) == 9
