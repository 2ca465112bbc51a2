"""Arrays that many calls are given go to the children once, as joblib's users expect."""

import sys
from types import SimpleNamespace
from typing import Any

import joblib
import numpy as np
import pytest

from lightwork.contrib.joblib import register
from lightwork.contrib.joblib.sharing import SharedArrays, resolve
from lightwork.pool.wire.ref import Ref

LEAST = 1000


@pytest.fixture(autouse=True, scope="module")
def registered() -> None:
    register()


def batch_of(*args: Any, **kwargs: Any) -> Any:
    return SimpleNamespace(items=[(len, args, kwargs)])


def is_writeable(array: Any) -> bool:
    return bool(array.flags.writeable)


def test_an_array_is_shared_from_the_second_time_on() -> None:
    shared, array = SharedArrays(Ref, LEAST), np.zeros(LEAST)
    batches = [batch_of(array, [array], name=array) for _ in range(2)]

    found = [shared.swap(batch) for batch in batches]
    kinds = [type(value) for value in batches[1].items[0][1]]
    for batch in batches:
        resolve(batch)

    # Already within the first batch: there it is for the second time.
    assert found == [True, True]
    assert kinds == [Ref, list]
    assert all(batch.items[0][1][0] is array for batch in batches)
    assert all(batch.items[0][2]["name"] is array for batch in batches)


@pytest.mark.parametrize(
    "array",
    [np.zeros(10), np.full(LEAST, None), np.zeros((LEAST, 4))[:, ::2], np.ma.zeros(LEAST)],
    ids=["small", "objects", "in-pieces", "of-another-class"],
)
def test_other_arrays_go_each_time(array: Any) -> None:
    shared = SharedArrays(Ref, LEAST)

    found = [shared.swap(batch_of(array)) for _ in range(3)]

    assert found == [False] * 3


def test_an_array_that_is_filled_again_is_another() -> None:
    shared, array, copies = (
        SharedArrays(lambda value: Ref(value.copy()), LEAST),
        np.zeros(LEAST),
        [],
    )
    for number in range(6):
        array[:] = number // 3
        batch = batch_of(array)
        shared.swap(batch)
        resolve(batch)
        copies.append(float(batch.items[0][1][0][0]))

    assert copies == [0, 0, 0, 1, 1, 1]


def test_an_array_is_not_kept_that_comes_once() -> None:
    shared, array = SharedArrays(Ref, LEAST), np.zeros(LEAST)
    before = sys.getrefcount(array)

    shared.swap(batch_of(array))

    assert sys.getrefcount(array) == before


@pytest.mark.process
def test_children_may_not_change_what_is_shared() -> None:
    array = np.zeros(1 << 18)

    with joblib.parallel_config(backend="lightwork", where="processes:2"):
        shared = _run(is_writeable, array)
    with joblib.parallel_config(backend="lightwork", where="processes:2", mmap_mode="c"):
        own = _run(is_writeable, array)

    assert set(shared[1:]) == {False}
    assert set(own) == {True}


def _run(fn: Any, array: Any) -> list[Any]:
    return list(joblib.Parallel(batch_size=1)(joblib.delayed(fn)(array) for _ in range(8)))
