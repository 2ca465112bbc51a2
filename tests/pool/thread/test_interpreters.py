"""InterpreterExecutor where this Python has sub-interpreters; else skipped, see tests/cpython."""

import gc
import importlib.util
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import async_calls
import calls
import interpreter_calls as inside
import pytest

from lightwork.errors import PoolError, RemoteError
from lightwork.pool.thread.interpreter import InterpreterExecutor
from lightwork.pool.thread.subinterpreter import why_no_interpreters

if reason := why_no_interpreters():
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture
def single() -> Iterator[InterpreterExecutor]:
    with InterpreterExecutor(1) as made:
        yield made


# Calls


def test_a_call_runs_in_another_interpreter(single: InterpreterExecutor) -> None:
    assert single.submit(inside.which).result(60) != inside.which()


def test_a_coroutine_function_is_run_to_its_end_there(single: InterpreterExecutor) -> None:
    assert single.submit(async_calls.double, 3).result(60) == 6
    assert list(single.map(async_calls.double, range(20))) == list(range(0, 40, 2))


def test_each_thread_has_an_interpreter_of_its_own(tmp_path: Path) -> None:
    path = str(tmp_path / "go")

    with InterpreterExecutor(2) as executor:
        busy = executor.submit(calls.wait_for, path)
        other = executor.submit(inside.which).result(60)
        Path(path).touch()
        busy.result(60)
        seen = {executor.submit(inside.which).result(60) for _ in range(2)} | {other}

    assert inside.which() not in seen


def test_a_closure_travels_by_value(single: InterpreterExecutor) -> None:
    factor = 3

    assert single.submit(lambda n: factor * n, 5).result(60) == 15


def test_a_call_keeps_every_keyword(single: InterpreterExecutor) -> None:
    future = single.submit(dict, fn=2, self=3, options=4)

    assert future.result(60) == {"fn": 2, "self": 3, "options": 4}


def test_arguments_are_those_of_the_moment_of_submission(
    single: InterpreterExecutor, tmp_path: Path
) -> None:
    go, items = tmp_path / "go", [1, 2]
    single.submit(calls.wait_for, str(go))

    future = single.submit(sum, items)
    items.append(3)
    go.touch()

    assert future.result(60) == 3


def test_an_exception_arrives_with_its_traceback(single: InterpreterExecutor) -> None:
    error = single.submit(calls.fail, "so be it").exception(60)

    assert isinstance(error, ValueError)
    assert str(error) == "so be it"
    assert "in fail" in str(error.__cause__)


def test_an_exception_that_cannot_be_rebuilt_arrives_as_text(single: InterpreterExecutor) -> None:
    error = single.submit(calls.raise_odd).exception(60)

    assert isinstance(error, RemoteError)
    assert error.error_text == "1 and 2"


def test_system_exit_ends_the_call_alone(single: InterpreterExecutor) -> None:
    assert isinstance(single.submit(calls.sys_exit).exception(60), SystemExit)
    assert single.submit(pow, 2, 2).result(60) == 4


def test_an_argument_that_cannot_be_pickled_fails_its_call(single: InterpreterExecutor) -> None:
    lock: object = threading.Lock()

    error = single.submit(repr, lock).exception(60)

    assert isinstance(error, TypeError)
    assert single.submit(pow, 2, 2).result(60) == 4


def test_a_result_that_cannot_be_pickled_fails_its_call(single: InterpreterExecutor) -> None:
    error = single.submit(calls.return_lock).exception(60)

    assert isinstance(error, TypeError)
    assert single.submit(pow, 2, 2).result(60) == 4


def test_megabytes_travel_both_ways(single: InterpreterExecutor) -> None:
    data = os.urandom(5_000_000)

    assert single.submit(bytes, data).result(60) == data


def test_more_functions_than_an_interpreter_remembers(single: InterpreterExecutor) -> None:
    def closure(number: int) -> Callable[[], int]:
        return lambda: number

    futures = [single.submit(closure(n)) for n in range(520)]
    futures += [single.submit(calls.double, n) for n in range(5)]

    assert [future.result(60) for future in futures] == [*range(520), 0, 2, 4, 6, 8]


def test_many_threads_submit_at_once() -> None:
    sums: list[int] = []

    with InterpreterExecutor(2) as executor:

        def submit_some() -> None:
            futures = [executor.submit(calls.double, n) for n in range(100)]
            sums.append(sum(future.result(60) for future in futures))

        threads = [threading.Thread(target=submit_some) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sums == [9900] * 4


def test_a_failed_call_makes_no_reference_cycle(single: InterpreterExecutor) -> None:
    future: Future[Any] = single.submit(calls.fail, "x")
    future.exception(60)
    single.submit(pow, 2, 2).result(60)  # The thread has let go of the first.
    kept = weakref.ref(future)

    gc.disable()
    try:
        del future
        assert kept() is None
    finally:
        gc.enable()


# Map


def test_map_runs_in_chunks() -> None:
    with InterpreterExecutor(2) as executor:
        assert list(executor.map(calls.double, range(3000))) == [2 * n for n in range(3000)]


def test_one_failing_item_fails_only_itself(single: InterpreterExecutor) -> None:
    results = list(single.map(inside.divide, [1, 0, 2], errors="return"))

    assert isinstance(results[1], ZeroDivisionError)
    assert [results[0], results[2]] == [1, 0.5]


# What belongs to an interpreter


def test_the_initializer_runs_in_the_interpreter() -> None:
    with InterpreterExecutor(1, "", calls.set_greeting, ("hello",)) as executor:
        assert executor.submit(calls.greeting).result(60) == "hello"

    assert calls.greeting() == ""


def test_a_failed_initializer_fails_pending_calls() -> None:
    with InterpreterExecutor(1, initializer=calls.set_up_badly) as executor:
        error = executor.submit(pow, 2, 2).exception(60)

    assert isinstance(error, PoolError)
    assert isinstance(error.__cause__, LookupError)


def test_the_finalizer_runs_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "ended"

    with InterpreterExecutor(1, finalizer=calls.mark, finalargs=(str(path),)) as executor:
        executor.submit(pow, 2, 2).result(60)
        assert not path.exists()

    assert path.read_text() == f"{os.getpid()}\n"


def test_what_is_local_to_the_thread_outlives_a_call(single: InterpreterExecutor) -> None:
    counts = [single.submit(inside.count_here).result(60) for _ in range(3)]

    assert counts == [1, 2, 3]


def test_a_local_belongs_to_the_interpreter(single: InterpreterExecutor) -> None:
    inside.count_in_local()

    counts = [single.submit(inside.count_in_local).result(60) for _ in range(3)]

    assert counts == [1, 2, 3]


@pytest.mark.skipif(
    importlib.util.find_spec("_testsinglephase") is None,
    reason="this Python ships no extension module that refuses sub-interpreters",
)
@pytest.mark.parametrize("is_mapped", [False, True])
def test_an_extension_module_that_refuses_says_what_to_do(
    single: InterpreterExecutor, is_mapped: bool
) -> None:
    error: object
    if is_mapped:
        (error,) = single.map(inside.import_it, ["_testsinglephase"], errors="return")
    else:
        error = single.submit(inside.import_it, "_testsinglephase").exception(60)

    assert isinstance(error, ImportError)
    assert 'lw.executor("processes")' in "".join(error.__notes__)
