"""What pymoo does with a `starmap`."""

from typing import Any

import numpy as np
import pytest
from pymoo.algorithms.soo.nonconvex.ga import GA
from pymoo.core.problem import ElementwiseProblem
from pymoo.optimize import minimize
from pymoo.parallelization import StarmapParallelization

import lightwork as lw

# Numbers, whether numpy is there to be checked or not.
Array = Any


class Sphere(ElementwiseProblem):  # type: ignore[misc]
    def __init__(self, **options: object) -> None:
        super().__init__(n_var=4, n_obj=1, xl=-2.0, xu=2.0, **options)

    def _evaluate(self, x: Array, out: dict[str, object], *args: object, **kw: object) -> None:
        out["F"] = np.sum((x - 0.5) ** 2)


def best(problem: Sphere) -> Array:
    return minimize(problem, GA(pop_size=12), termination=("n_gen", 6), seed=1).F


@pytest.mark.parametrize("where", ["processes:2", "threads:2", "inline"])
def test_the_optimum_is_the_same_as_without(where: str) -> None:
    with lw.executor(where) as ex:
        runner = StarmapParallelization(ex.starmap)
        ours = best(Sphere(elementwise_runner=runner))

    assert np.array_equal(ours, best(Sphere()))
