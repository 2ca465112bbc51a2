"""No map ends short in silence, or not at all: each item taken has a result or an error."""

from collections.abc import Callable

import pytest
from callables import AskedForItsSize, FailsAsItem, make_asked, number_of

from lightwork.pool.executor.executor import Executor
from lightwork.pool.map.feed import Feed
from lightwork.pool.map.open_maps import Feeding
from lightwork.pool.open_pool import open_pool
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from waiting import wait_until

pytestmark = pytest.mark.process

MANY = 3000
MAKERS: list[Callable[[], Executor]] = [lambda: ThreadExecutor(2), lambda: ProcessExecutor(2)]


@pytest.mark.parametrize("chunksize", [1, "auto"])
@pytest.mark.parametrize("make", MAKERS, ids=["threads", "processes"])
def test_results_that_exit_when_they_are_asked_for_their_size_arrive(
    make: Callable[[], Executor], chunksize: int
) -> None:
    with make() as executor:
        results = list(executor.map(make_asked, range(50), chunksize=chunksize))

    assert [type(one) for one in results] == [AskedForItsSize] * 50


def test_items_that_exit_when_they_are_asked_for_their_size_arrive() -> None:
    items = [AskedForItsSize() for _ in range(50)]

    with open_pool("threads:2") as executor:
        results = list(executor.map(id, items))

    assert results == list(map(id, items))


@pytest.mark.parametrize("chunksize", [1, 7])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_map_whose_item_raises_while_it_is_pickled_does_not_end_short(
    kind: type[BaseException], chunksize: int
) -> None:
    # So far behind that the pool's own thread pickles it.
    items = [FailsAsItem(n, kind if n == 1400 else None) for n in range(MANY)]
    seen: list[int] = []

    with ProcessExecutor(2) as executor:
        results = executor.map(number_of, items, chunksize=chunksize)
        with pytest.raises(kind):
            seen.extend(results)
        assert executor.submit(number_of, FailsAsItem(7)).result(30) == 7

    assert seen == list(range(len(seen)))


@pytest.mark.parametrize("ordered", [True, False])
def test_a_map_that_has_lost_a_result_says_so(*, ordered: bool) -> None:
    with ThreadExecutor(2) as executor:
        results = executor.map(abs, range(MANY), chunksize=1, ordered=ordered)
        feed = feed_of(executor)
        wait_until(lambda: len(feed.ready) > 5, "some results are there")
        # No way is known in which that happens.
        at = min(feed.ready) if ordered else feed.arrived.pop()
        del feed.ready[at]

        with pytest.raises(RuntimeError, match="map lost results"):
            list(results)


def feed_of(executor: Executor) -> Feed:
    """Return the only map that is being started."""
    maps = executor._open_maps
    assert maps is not None
    found: list[Feeding] = list(maps._feeding.values())
    assert isinstance(found[0], Feed)
    return found[0]
