"""`async for` over the results of a map: as `for`, without blocking the event loop."""

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

import async_map_calls
import calls
import pytest

from lightwork.errors import UsageError, WorkerLost
from lightwork.pool.executor.executor import Executor
from lightwork.pool.executor.inline import InlineExecutor
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from waiting import wait_until

pytestmark = pytest.mark.process

T = TypeVar("T")
WAIT = 30


@pytest.fixture(params=["threads", "processes", "inline"])
def pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "inline":
        executor: Executor = InlineExecutor()
    else:
        executor = ThreadExecutor(2) if request.param == "threads" else ProcessExecutor(2)
    with executor:
        yield executor


@pytest.fixture(params=["threads", "processes"])
def waiting_pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    executor = ThreadExecutor(1) if request.param == "threads" else ProcessExecutor(1)
    with executor:
        yield executor


async def gather(results: AsyncIterator[T]) -> list[T]:
    return [result async for result in results]


def test_results_come_in_the_order_of_the_items(pool: Executor) -> None:
    async def main() -> list[int]:
        return await gather(pool.map(calls.double, range(3000)))

    assert asyncio.run(main()) == list(range(0, 6000, 2))


def test_results_may_come_as_they_are_ready(pool: Executor) -> None:
    async def main() -> list[int]:
        return await gather(pool.map(calls.double, range(3000), ordered=False, chunksize=7))

    assert sorted(asyncio.run(main())) == list(range(0, 6000, 2))


def test_an_error_is_raised_in_its_place(pool: Executor) -> None:
    seen: list[float] = []

    async def main() -> None:
        async for result in pool.map(async_map_calls.invert, [1, 2, 0, 4]):
            seen.append(result)  # noqa: PERF401 - what came before the error is looked at

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())
    assert seen == [1, 0.5]


def test_an_error_is_returned_on_request(pool: Executor) -> None:
    async def main() -> list[float | BaseException]:
        return await gather(pool.map(async_map_calls.invert, [1, 0, 2], errors="return"))

    first, second, third = asyncio.run(main())

    assert (first, third) == (1, 0.5)
    assert isinstance(second, ZeroDivisionError)


def test_a_lost_child_costs_one_item() -> None:
    async def main() -> list[object]:
        with ProcessExecutor(2) as executor:
            results = executor.map(
                async_map_calls.die_at_zero, [1, 0, 2], errors="return", chunksize=1
            )
            return await gather(results)

    first, second, third = asyncio.run(main())

    assert (first, third) == (1, 2)
    assert isinstance(second, WorkerLost)


def test_the_event_loop_goes_on_while_results_are_waited_for(
    waiting_pool: Executor, tmp_path: Path
) -> None:
    go_on = tmp_path / "go on"

    async def let_go_on() -> None:
        for _ in range(50):
            await asyncio.sleep(0.001)
        go_on.touch()

    async def main() -> list[object]:
        task = asyncio.create_task(let_go_on())
        found = await gather(waiting_pool.map(calls.wait_for, [str(go_on)] * 3, "abc"))
        await task
        return found

    assert asyncio.run(asyncio.wait_for(main(), WAIT)) == ["a", "b", "c"]


def test_the_event_loop_gets_its_turn_while_results_are_ready(waiting_pool: Executor) -> None:
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main() -> None:
        counting = asyncio.create_task(count_turns())
        async for _ in waiting_pool.map(calls.sleep, [0.0005] * 1000, buffersize=1000):
            pass
        counting.cancel()

    asyncio.run(main())

    assert turns > 10


def test_items_are_taken_in_the_thread_of_the_event_loop(waiting_pool: Executor) -> None:
    takers: set[threading.Thread] = set()

    def numbers() -> Iterator[int]:
        for number in range(5000):
            takers.add(threading.current_thread())
            yield number

    async def main() -> int:
        return len(await gather(waiting_pool.map(calls.double, numbers())))

    assert asyncio.run(main()) == 5000
    assert takers == {threading.current_thread()}


def test_waiting_takes_no_thread(waiting_pool: Executor, tmp_path: Path) -> None:
    go_on = tmp_path / "go on"

    async def main() -> int:
        waiting = [
            asyncio.create_task(gather(waiting_pool.map(calls.wait_for, [str(go_on)] * 2)))
            for _ in range(50)
        ]
        await asyncio.sleep(0)
        count = threading.active_count()
        go_on.touch()
        await asyncio.gather(*waiting)
        return count

    before = threading.active_count()
    assert asyncio.run(main()) <= before + 2


def test_an_infinite_input_is_taken_no_further_than_the_buffer(waiting_pool: Executor) -> None:
    taken = itertools.count()

    async def main() -> None:
        async with aclosing(waiting_pool.map(calls.double, taken, buffersize=10)) as results:
            for expected in (0, 2, 4):
                assert await anext(results) == expected

    asyncio.run(main())

    assert next(taken) <= 14


@pytest.mark.parametrize("how", ["break", "aclose", "cancel"])
def test_leaving_cancels_what_waits(waiting_pool: Executor, how: str, tmp_path: Path) -> None:
    ran, go_on = tmp_path / "ran", tmp_path / "go on"

    async def use() -> None:
        paths = [str(tmp_path), *[str(go_on)] * 8]
        results = waiting_pool.map(
            calls.mark_and_wait_for, [str(ran)] * 9, paths, chunksize=1, buffersize=9
        )
        async for _ in results:
            if how == "break":
                break
            if how == "aclose":
                await results.aclose()
                break

    async def main() -> None:
        task = asyncio.create_task(use())
        if how == "cancel":
            await asyncio.to_thread(
                wait_until, lambda: len(async_map_calls.lines(ran)) > 1, "the second runs"
            )
            task.cancel()
        await asyncio.wait([task])

    asyncio.run(asyncio.wait_for(main(), WAIT))
    go_on.touch()
    waiting_pool.shutdown()

    assert 1 <= len(async_map_calls.lines(ran)) <= 3


def test_a_timeout_is_that_of_the_map(waiting_pool: Executor, tmp_path: Path) -> None:
    go_on = tmp_path / "go on"

    async def main() -> None:
        try:
            await gather(waiting_pool.map(calls.wait_for, [str(go_on)], timeout=0.05))
        finally:
            go_on.touch()

    with pytest.raises(TimeoutError, match=r"map: no result within 0.05 s of the call"):
        asyncio.run(main())


def test_progress_is_shown(pool: Executor, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> list[int]:
        return await gather(pool.map(calls.double, range(3), progress=True))

    assert asyncio.run(main()) == [0, 2, 4]
    assert "double: 3 of 3 done" in capsys.readouterr().err


def test_several_maps_go_on_at_once(waiting_pool: Executor) -> None:
    async def main() -> list[list[int]]:
        maps = [waiting_pool.map(calls.double, range(n, n + 500)) for n in range(4)]
        return await asyncio.gather(*map(gather, maps))

    assert [sum(found) for found in asyncio.run(main())] == [249500, 250500, 251500, 252500]


def test_results_are_used_in_one_way_only(waiting_pool: Executor) -> None:
    async def main() -> None:
        results = waiting_pool.map(calls.double, range(3))
        assert next(results) == 0
        with pytest.raises(UsageError, match="used with `for`"):
            await anext(results)
        results = waiting_pool.map(calls.double, range(3))
        assert await anext(results) == 0
        with pytest.raises(UsageError, match="used with `async for`"):
            next(results)
        await results.aclose()

    asyncio.run(main())


def test_results_outlive_the_event_loop_that_did_not_want_them(waiting_pool: Executor) -> None:
    async def main() -> None:
        results = waiting_pool.map(calls.double, itertools.count(), buffersize=4)
        assert await anext(results) == 0

    asyncio.run(main())

    assert waiting_pool.submit(calls.double, 1).result(WAIT) == 2
