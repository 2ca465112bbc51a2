"""What can be called runs on every executor; what cannot is refused in the same words."""

from collections.abc import Callable, Iterator
from typing import Any

import callables
import pytest

from lightwork.errors import UsageError
from lightwork.pool.executor.executor import Executor
from lightwork.pool.open_pool import open_pool

pytestmark = pytest.mark.process

WAIT = 30


@pytest.fixture(scope="module", params=["inline", "threads:1", "processes:1"])
def pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with open_pool(request.param) as executor:
        yield executor


@pytest.mark.parametrize("kind", callables.CALLABLES)
def test_whatever_can_be_called_is_called(pool: Executor, kind: str) -> None:
    fn = callables.CALLABLES[kind]
    args = (1, 1) if kind.startswith("method") else (1,)

    # Twice: the second time it is known.
    assert [pool.submit(fn, *args).result(WAIT) for _ in range(2)] == [2, 2]
    assert list(pool.starmap(fn, [args, args], chunksize=1)) == [2, 2]


def test_callables_that_claim_to_be_equal_are_not_mixed_up(pool: Executor) -> None:
    futures = [pool.submit(callables.Adder(number), 1) for number in range(3)]

    assert [future.result(WAIT) for future in futures] == [1, 2, 3]


ACTS: dict[str, Callable[[Executor, Any], object]] = {
    "submit": lambda pool, thing: pool.submit(thing),
    "map": lambda pool, thing: pool.map(thing, [1]),
    "starmap": lambda pool, thing: pool.starmap(thing, [(1,)]),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("thing", [3, None, "calls.double", [abs]], ids=repr)
def test_what_cannot_be_called_is_refused_at_once(pool: Executor, act: str, thing: object) -> None:
    expected = f"{'submit' if act == 'submit' else 'map'} expects a function"

    with pytest.raises(UsageError, match=f"{expected}.*{type(thing).__name__}"):
        ACTS[act](pool, thing)
