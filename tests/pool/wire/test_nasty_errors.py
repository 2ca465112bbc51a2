"""Exceptions whose own code gets in the way: each costs its call only, and its future ends."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import nasty_errors
import pytest
from no_pool import NoPool

from lightwork.errors import RemoteError
from lightwork.model import Backoff, Policy
from lightwork.pool.call.future import Future
from lightwork.pool.call.options import PLAIN
from lightwork.pool.executor.executor import Executor
from lightwork.pool.link.process_call import ProcessCall
from lightwork.pool.open_pool import open_pool
from lightwork.pool.process.settle import following_options, settle
from lightwork.pool.wire.frames import Frame, Kind
from lightwork.pool.wire.function import FunctionTable
from lightwork.tasks.task import task

pytestmark = pytest.mark.process

WAIT = 30
AT_ONCE = Backoff(base=0.0)


@pytest.fixture(scope="module", params=["inline", "threads:1", "processes:1"])
def place(request: pytest.FixtureRequest) -> Iterator[tuple[str, Executor]]:
    with open_pool(request.param) as pool:
        yield request.param, pool


def outcomes(pool: Executor, name: str, fail: Callable[..., Any]) -> Iterator[BaseException | None]:
    """Yield what a call, and an item of each kind of map, comes to."""
    again = task(retries=1, backoff=AT_ONCE)(fail)
    yield pool.submit(fail, name).exception(WAIT)
    yield pool.submit(again, name).exception(WAIT)
    for sizes in ({"chunksize": 1}, {"chunksize": "auto"}):
        for called in (fail, again):
            yield from pool.map(called, [name], timeout=WAIT, errors="return", **sizes)


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "coroutine"])
@pytest.mark.parametrize("name", nasty_errors.CLASSES)
def test_its_future_ends_with_itself_or_with_what_stands_for_it(
    place: tuple[str, Executor], name: str, *, is_async: bool
) -> None:
    where, pool = place
    travels = where.startswith("processes")
    expected = RemoteError if travels and name in nasty_errors.TEXT_ONLY else None

    found = list(outcomes(pool, name, nasty_errors.fail_async if is_async else nasty_errors.fail))

    kinds = {type(error) for error in found}
    assert kinds == {expected or nasty_errors.CLASSES[name]}
    assert len(found) == 6
    assert pool.submit(nasty_errors.double, 4).result(WAIT) == 8


@pytest.mark.parametrize("name", nasty_errors.CLASSES)
def test_items_of_one_chunk_fail_alone(place: tuple[str, Executor], name: str) -> None:
    where, pool = place
    chunksize = 1 if where == "inline" else 3

    found: list[object] = list(
        pool.map(fail_at_one, range(3), [name] * 3, chunksize=chunksize, errors="return")
    )

    assert (found[0], found[2]) == (0, 2)
    is_text = where.startswith("processes") and name in nasty_errors.TEXT_ONLY
    assert type(found[1]) is (RemoteError if is_text else nasty_errors.CLASSES[name])


def fail_at_one(number: int, name: str) -> int:
    if number == 1:
        nasty_errors.fail(name)
    return number


@pytest.mark.parametrize("fn", [nasty_errors.give_back, nasty_errors.give_back_async])
def test_a_value_that_refuses_to_be_asked_goes_and_comes_like_any_other(
    place: tuple[str, Executor], fn: Callable[[object], object]
) -> None:
    where, pool = place
    sizes: list[Any] = (
        [1, "auto"] if where == "inline" or "async" in fn.__name__ else [1, 3, "auto"]
    )
    value = nasty_errors.OddValue()

    found = [pool.submit(fn, value).result(WAIT)]
    for chunksize in sizes:
        found += pool.map(fn, [value] * 3, chunksize=chunksize, timeout=WAIT)
        found += pool.starmap(fn, [(value,)] * 3, chunksize=chunksize, timeout=WAIT)

    assert {type(one) for one in found} == {nasty_errors.OddValue}
    assert pool.submit(nasty_errors.double, 4).result(WAIT) == 8


@pytest.mark.parametrize("name", ["IsFalse", "IsEmpty", "RaisingTruth", "ExitingTruth"])
def test_what_is_not_true_is_raised_all_the_same(place: tuple[str, Executor], name: str) -> None:
    _, pool = place
    future: Future[object] = pool.submit(nasty_errors.fail, name)

    async def wait() -> None:
        await future

    with pytest.raises(nasty_errors.CLASSES[name]):
        future.result(WAIT)
    with pytest.raises(nasty_errors.CLASSES[name]):
        asyncio.run(wait())


def test_a_stop_iteration_ends_whoever_awaits_it(place: tuple[str, Executor]) -> None:
    _, pool = place
    future: Future[object] = pool.submit(next, iter(()))

    async def wait() -> None:
        async with asyncio.timeout(WAIT):
            await future

    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(wait())


def test_a_rebuilt_exception_has_all_that_it_had() -> None:
    with open_pool("processes:1") as pool:
        own = pool.submit(nasty_errors.fail, "OwnConstructor").exception(WAIT)
        gone = pool.submit(nasty_errors.fail, "OwnOsError").exception(WAIT)

    assert isinstance(own, nasty_errors.OwnConstructor)
    assert (own.code, own.args, str(own)) == (7, ("odd (7)",), "odd (7)")
    assert isinstance(gone, nasty_errors.OwnOsError)
    assert (gone.errno, gone.strerror, gone.filename, gone.place) == (
        2,
        "gone",
        "nowhere",
        "nowhere",
    )


@pytest.mark.parametrize("where", ["threads:1", "processes:1"])
@pytest.mark.parametrize("name", nasty_errors.CLASSES)
def test_an_initializer_that_raises_it_breaks_the_pool_and_hangs_nobody(
    where: str, name: str
) -> None:
    with open_pool(where, initializer=nasty_errors.fail, initargs=(name,)) as pool:
        future = pool.submit(nasty_errors.double, 1)

        assert isinstance(future.exception(WAIT), RuntimeError)


def test_what_cannot_be_read_as_an_error_ends_its_future_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    function = FunctionTable().find(nasty_errors.double)
    call = ProcessCall(1, function, b"", PLAIN._replace(retries=Policy(retries=1)), NoPool())
    damaged = Frame(Kind.ERROR, 1, 0, b"no pickle")

    following = following_options(call.options, damaged)
    settle(call, damaged)

    assert following is None
    assert isinstance(call.future.exception(0), RemoteError)
    assert "attempt_not_judged" in caplog.text


@pytest.mark.parametrize("kind", [SystemExit, MemoryError])
def test_a_filter_of_logs_that_raises_ends_no_thread(
    place: tuple[str, Executor], kind: type[BaseException]
) -> None:
    _, pool = place

    def refuse(record: logging.LogRecord) -> bool:
        raise kind(record.msg)

    def fail(_: object) -> None:
        raise ValueError("callback")

    log = logging.getLogger("lightwork.pool.call.future")
    log.addFilter(refuse)
    try:
        pool.submit(time.sleep, 0.05).add_done_callback(fail)

        assert pool.submit(nasty_errors.double, 4).result(WAIT) == 8
    finally:
        log.removeFilter(refuse)
