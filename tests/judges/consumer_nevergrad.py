"""What nevergrad does with `executor=`: submit, then it asks futures whether they are done."""

from typing import Any

import nevergrad
import numpy as np
import pytest

import lightwork as lw

# Numbers, whether numpy is there to be checked or not.
Array = Any


def square(x: Array, y: float = 0.0) -> float:
    return float(np.sum((x - 0.5) ** 2) + abs(y))


@pytest.mark.parametrize("where", ["processes:2", "threads:2", "inline"])
@pytest.mark.parametrize("batch_mode", [True, False])
def test_the_whole_budget_is_spent(where: str, batch_mode: bool) -> None:
    space = nevergrad.p.Instrumentation(nevergrad.p.Array(shape=(2,)), y=nevergrad.p.Scalar())
    optimizer = nevergrad.optimizers.OnePlusOne(space, budget=40, num_workers=4)

    with lw.executor(where) as ex:
        found = optimizer.minimize(square, executor=ex, batch_mode=batch_mode)

    assert optimizer.num_tell == 40
    assert square(*found.args, **found.kwargs) < square(np.zeros(2) + 5)
