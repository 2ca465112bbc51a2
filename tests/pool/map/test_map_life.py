"""How long a map lives, and keeps its executor: until its last item is submitted, or it is closed."""

import asyncio
import threading
import weakref

import pytest

from lightwork.pool.map.results import Results
from lightwork.pool.open_pool import open_pool
from lightwork.pool.thread.executor import ThreadExecutor

pytestmark = pytest.mark.process

WAIT = 30


@pytest.mark.parametrize("progress", [False, True], ids=["bare", "shown"])
@pytest.mark.parametrize("where", ["threads:3", "processes:3"])
def test_results_that_were_all_submitted_let_the_executor_end(
    where: str, *, progress: bool
) -> None:
    before = set(threading.enumerate())
    pool = open_pool(where)
    results = pool.map(abs, range(-5, 5), progress=progress)
    theirs = set(threading.enumerate()) - before
    gone = weakref.ref(pool)

    del pool
    for thread in theirs:
        thread.join(WAIT)

    assert gone() is None
    assert theirs
    assert not any(thread.is_alive() for thread in theirs)
    assert list(results) == [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]


def test_results_with_items_left_keep_the_executor() -> None:
    pool = open_pool("threads:2")
    results = pool.map(abs, iter(range(10)), buffersize=2)
    kept = weakref.ref(pool)

    del pool

    assert kept() is not None
    assert list(results) == list(range(10))
    assert kept() is None


@pytest.mark.parametrize("progress", [False, True], ids=["bare", "shown"])
@pytest.mark.parametrize("is_begun", [False, True], ids=["unread", "begun"])
@pytest.mark.parametrize("how", ["close", "aclose"])
def test_closing_cancels_what_waits(how: str, *, is_begun: bool, progress: bool) -> None:
    gate, ran = threading.Event(), []

    def run(number: int) -> None:
        ran.append(number)
        if number:
            gate.wait(WAIT)

    async def use(results: Results[None]) -> None:
        if is_begun:
            await anext(results)
        await results.aclose()

    with ThreadExecutor(1) as pool:
        results = pool.map(run, range(9), chunksize=1, progress=progress)
        if how == "aclose":
            asyncio.run(use(results))
        else:
            if is_begun:
                next(results)
            results.close()
        gate.set()

    # The second may have begun.
    assert len(ran) <= 2
