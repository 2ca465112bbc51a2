"""Whether a function that travels by value must be pickled anew."""

import gc
import math
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from lightwork.pool.map.chunk import run_chunk
from lightwork.pool.wire.closure_snapshot import is_same, take_snapshot
from lightwork.pool.wire.function import FunctionTable

FACTOR = 2


def make_adder(offset: object) -> Callable[[int], Any]:
    return lambda n: n + offset  # type: ignore[operator]


def is_unchanged(fn: Callable[..., Any], change: Callable[[], object]) -> bool:
    before = take_snapshot(fn)
    change()
    after = take_snapshot(fn)
    assert before is not None
    assert after is not None
    return is_same(before, after)


@pytest.mark.parametrize(
    "fn",
    [
        make_adder(1),
        make_adder("text"),
        make_adder((1, (2.0, b"x"))),
        make_adder([1, {"a": {2}}]),
        make_adder(math),
        make_adder(make_adder(1)),
        partial(make_adder(1), 5),
        lambda: math.sin(FACTOR),
    ],
)
def test_a_function_with_constants_stays_the_same(fn: Callable[..., Any]) -> None:
    assert is_unchanged(fn, lambda: None)


def test_what_maps_an_importable_function_is_pickled_once() -> None:
    class Watched(FunctionTable):
        pickled = 0

        def _remember(self, fn: Any, blob: bytes) -> Any:
            self.pickled += 1
            return super()._remember(fn, blob)

    table, fn = Watched(), partial(run_chunk, math.sin)

    assert table.find(fn) is table.find(fn)
    assert table.pickled == 1


class Thing:
    pass


@pytest.mark.parametrize(
    "value",
    [
        Thing(),
        [Thing()],
        ({1: Thing},),
        [max],
        make_adder(Thing()),
        [Thing()].append,
        partial(make_adder, offset=1),
    ],
)
def test_a_function_with_something_changeable_has_no_snapshot(value: object) -> None:
    assert take_snapshot(make_adder(value)) is None


def test_a_changed_variable_is_noticed() -> None:
    offset = 1

    def add(n: int) -> int:
        return n + offset

    def change() -> None:
        nonlocal offset
        offset = 2

    assert not is_unchanged(add, change)


@pytest.mark.parametrize("value", [[[0]], {0: [0]}, ([0], [0])])
def test_what_a_container_holds_is_noticed(value: Any) -> None:
    assert not is_unchanged(make_adder(value), lambda: value[0].append(1))


def test_a_changed_global_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_unchanged(lambda: FACTOR, lambda: monkeypatch.setitem(globals(), "FACTOR", 3))


def test_a_changed_global_of_an_inner_function_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def outer() -> Callable[[], int]:
        return lambda: FACTOR

    assert not is_unchanged(outer, lambda: monkeypatch.setitem(globals(), "FACTOR", 3))


def test_replaced_code_is_noticed() -> None:
    one = make_adder(1)

    def change() -> None:
        one.__code__ = make_adder(1).__code__.replace(co_name="other")

    assert not is_unchanged(one, change)


def test_recursive_functions_end() -> None:
    def count(n: int) -> int:
        return count(n - 1) if n else 0

    assert take_snapshot(count) is not None


def test_a_pool_does_not_keep_functions_alive() -> None:
    table, add = FunctionTable(), make_adder(1)
    table.find(add)
    alive = weakref.ref(add)

    del add
    gc.collect()

    assert alive() is None


def test_an_unchanged_function_is_the_same_to_a_pool() -> None:
    table, add = FunctionTable(), make_adder(1)

    assert table.find(add) is table.find(add)


def test_a_changed_function_is_another_one_to_a_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    table, seen = FunctionTable(), [0]
    add = make_adder(seen)
    before = table.find(add)
    seen.append(1)

    assert table.find(add) is not before
