"""`async for` over the jobs of a durable map."""

import asyncio
import gc
import itertools
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from face.jobs import invert, one_of, square, wait_for
from lightwork.durable.executor import DurableExecutor
from lightwork.errors import JobFailed
from lightwork.model import State
from waiting import wait_until

pytestmark = pytest.mark.process


@pytest.mark.parametrize("ordered", [True, False])
def test_results_arrive_without_blocking_the_event_loop(
    shared: DurableExecutor, ordered: bool, tmp_path: Path
) -> None:
    go_on = tmp_path / "go on"

    async def let_go_on() -> None:
        for _ in range(20):
            await asyncio.sleep(0.001)
        go_on.touch()

    async def main() -> list[str]:
        task = asyncio.create_task(let_go_on())
        found = [one async for one in shared.map(wait_for, [str(go_on)] * 3, ordered=ordered)]
        await task
        return found

    assert len(asyncio.run(asyncio.wait_for(main(), 30))) == 3


def test_a_result_that_was_used_is_kept_by_nobody(shared: DurableExecutor) -> None:
    async def main() -> None:
        async for found in shared.map(one_of, range(5)):
            reference = weakref.ref(found)
            del found

            wait_until(lambda: gc.collect() >= 0 and reference() is None, "nobody to keep it")  # noqa: B023 - called here

    asyncio.run(main())


def test_an_input_longer_than_the_buffer_is_submitted_as_results_are_used(
    shared: DurableExecutor,
) -> None:
    takers: set[threading.Thread] = set()

    def numbers() -> Iterator[int]:
        for number in range(40):
            takers.add(threading.current_thread())
            yield number

    async def main() -> list[int]:
        return [one async for one in shared.map(square, numbers(), buffersize=7)]

    assert asyncio.run(main()) == [number * number for number in range(40)]
    assert takers == {threading.current_thread()}


def test_an_infinite_input_can_be_left(kept: DurableExecutor) -> None:
    async def main() -> None:
        results = kept.map(square, itertools.count(), buffersize=5, timeout=0.01)
        with pytest.raises(TimeoutError):
            await anext(results)

    asyncio.run(main())

    states = kept.store.summary().states
    assert states[State.CANCELLED] == 5
    assert states[State.READY] == 0


def test_an_error_is_raised_in_its_place(shared: DurableExecutor) -> None:
    seen: list[float] = []

    async def main() -> None:
        async for one in shared.map(invert, [2, 0, 1]):
            seen.append(one)  # noqa: PERF401 - what came before the error is looked at

    with pytest.raises(JobFailed, match="ZeroDivisionError"):
        asyncio.run(main())
    assert seen == [0.5]
