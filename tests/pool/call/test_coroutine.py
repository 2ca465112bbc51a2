"""Which functions are coroutine functions."""

import functools
import inspect
import operator
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from lightwork.errors import UsageError
from lightwork.pool.call.coroutine_function import is_coroutine_function
from lightwork.tasks.task import task


async def wait() -> None:
    """Do nothing, later."""


def work() -> None:
    """Do nothing."""


async def numbers() -> AsyncIterator[int]:
    yield 1


def hidden() -> Any:
    return wait()


@functools.wraps(wait)
async def wrapped() -> None:
    """Wrap a coroutine function in another."""


class Waiting:
    async def __call__(self) -> None:
        """Do nothing, later."""

    async def method(self) -> None:
        """Do nothing, later."""

    @classmethod
    async def of_class(cls) -> None:
        """Do nothing, later."""


class Working:
    def __call__(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    "fn",
    [
        wait,
        wrapped,
        task(wait),
        task(functools.partial(wait)),
        functools.partial(task(wait)),
        functools.partial(functools.partial(wait)),
        Waiting(),
        Waiting().method,
        Waiting.of_class,
        functools.partial(Waiting()),
    ],
)
def test_what_is_awaited_in_the_end_is_a_coroutine_function(fn: Callable[..., Any]) -> None:
    assert is_coroutine_function(fn)


@pytest.mark.parametrize(
    "fn",
    [
        work,
        hidden,
        task(work),
        functools.partial(work),
        Working(),
        # Calling a class makes an object, whatever calling that one does.
        Waiting,
        operator.neg,
        len,
        "text".upper,
        str.upper,
        operator.itemgetter(1),
    ],
)
def test_all_else_is_a_plain_function(fn: Callable[..., Any]) -> None:
    assert not is_coroutine_function(fn)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.12 brought the mark")
def test_a_function_may_be_marked() -> None:
    def make() -> Any:
        return wait()

    inspect.markcoroutinefunction(make)  # type: ignore[attr-defined]

    assert is_coroutine_function(make)


@pytest.mark.parametrize("fn", [numbers, task(numbers), functools.partial(numbers)])
def test_an_async_generator_is_refused_by_name(fn: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match="numbers is an async generator"):
        is_coroutine_function(fn)
