"""Exceptions whose own code gets in the way, out of sub-interpreters; see test_nasty_errors.py."""

from collections.abc import Iterator

import nasty_errors
import pytest

from lightwork.errors import RemoteError
from lightwork.pool.thread.interpreter import InterpreterExecutor
from lightwork.pool.thread.subinterpreter import why_no_interpreters
from lightwork.tasks.task import task

if reason := why_no_interpreters():
    pytest.skip(reason, allow_module_level=True)

WAIT = 60


@pytest.fixture(scope="module")
def pool() -> Iterator[InterpreterExecutor]:
    with InterpreterExecutor(1) as executor:
        yield executor


@pytest.mark.parametrize("name", nasty_errors.CLASSES)
def test_its_future_ends_with_itself_or_with_what_stands_for_it(
    pool: InterpreterExecutor, name: str
) -> None:
    again = task(retries=1, backoff=0.0)(nasty_errors.fail)
    expected = RemoteError if name in nasty_errors.TEXT_ONLY else nasty_errors.CLASSES[name]

    found = [
        pool.submit(nasty_errors.fail, name).exception(WAIT),
        pool.submit(again, name).exception(WAIT),
        pool.submit(nasty_errors.fail_async, name).exception(WAIT),
        *pool.map(nasty_errors.fail, [name] * 3, chunksize=3, errors="return", timeout=WAIT),
    ]

    assert [type(error) for error in found] == [expected] * 6
    assert pool.submit(nasty_errors.double, 4).result(WAIT) == 8


@pytest.mark.parametrize("name", nasty_errors.CLASSES)
def test_an_initializer_that_raises_it_breaks_the_pool_and_hangs_nobody(name: str) -> None:
    with InterpreterExecutor(1, initializer=nasty_errors.fail, initargs=(name,)) as pool:
        future = pool.submit(nasty_errors.double, 1)

        assert isinstance(future.exception(WAIT), RuntimeError)
