"""Coroutine functions where the submitter is."""

import asyncio
import threading

import async_calls
import pytest

from lightwork.errors import UsageError
from lightwork.pool.executor.inline import InlineExecutor
from lightwork.tasks.task import task


def test_a_coroutine_function_runs_to_its_end() -> None:
    future = InlineExecutor().submit(async_calls.double, 21)

    assert future.done()
    assert future.result() == 42


def test_a_task_that_is_a_coroutine_function_runs_to_its_end() -> None:
    assert InlineExecutor().submit(task(async_calls.double), 21).result() == 42


def test_it_runs_in_this_thread_if_no_loop_does() -> None:
    _, name, _ = InlineExecutor().submit(async_calls.where).result()

    assert name == threading.current_thread().name


def test_under_a_running_loop_the_future_is_done_all_the_same() -> None:
    async def submit() -> tuple[bool, str]:
        future = InlineExecutor().submit(async_calls.where)
        return future.done(), future.result()[1]

    is_done, name = asyncio.run(submit())

    assert is_done
    assert name != threading.current_thread().name


def test_current_is_found_under_a_running_loop() -> None:
    async def submit() -> str:
        return InlineExecutor().submit(async_calls.report, 1).result()

    assert asyncio.run(submit()) == threading.current_thread().name


def test_what_it_raises_is_its_outcome() -> None:
    with pytest.raises(ValueError, match="near"):
        InlineExecutor().submit(async_calls.fail, "near").result()


def test_map_awaits_each_item() -> None:
    assert list(InlineExecutor().map(async_calls.double, range(5))) == [0, 2, 4, 6, 8]


def test_an_async_generator_is_refused() -> None:
    with pytest.raises(UsageError, match="async generator"):
        InlineExecutor().submit(async_calls.numbers)
