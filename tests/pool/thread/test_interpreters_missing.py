"""What happens where this Python has no sub-interpreters."""

import warnings

import calls
import pytest

from lightwork.errors import FallbackWarning, UsageError
from lightwork.executors import executor
from lightwork.pool.open_pool import count_slots, open_pool
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.interpreter import InterpreterExecutor
from lightwork.pool.thread.subinterpreter import Subinterpreter, why_no_interpreters

is_missing = pytest.mark.skipif(
    why_no_interpreters() == "", reason="this Python has sub-interpreters"
)


@is_missing
def test_the_executor_names_the_reason_and_what_to_use() -> None:
    with pytest.raises(UsageError, match=r"CPython 3\.13 or later; seen: .*ProcessExecutor"):
        InterpreterExecutor(2)


@is_missing
@pytest.mark.process
def test_words_open_processes_with_one_warning() -> None:
    with pytest.warns(FallbackWarning) as told:
        opened = executor("interpreters:2")

    with opened:
        assert isinstance(opened, ProcessExecutor)
        assert opened.submit(calls.double, 2).result(60) == 4
    assert len(told) == 1
    assert told[0].filename == __file__
    assert "3.13 or later" in str(told[0].message)
    assert "processes instead" in str(told[0].message)


@is_missing
@pytest.mark.process
def test_options_of_interpreters_hold_for_the_processes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        opened = open_pool(
            "interpreters:1",
            thread_name_prefix="painter",
            initializer=calls.set_greeting,
            initargs=("hello",),
        )

    with opened:
        assert opened.submit(calls.greeting).result(60) == "hello"
        assert opened.submit(calls.report, 0).result(60) == "painter-1"


@is_missing
def test_nothing_can_be_made_of_what_is_missing() -> None:
    with pytest.raises(RuntimeError, match="sub-interpreters need"):
        Subinterpreter()


def test_a_worker_refuses_interpreters() -> None:
    with pytest.raises(UsageError, match="use processes or threads for jobs"):
        count_slots("interpreters:2")
