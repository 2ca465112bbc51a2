"""What scipy does with `workers=`: a map-like callable."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy import integrate, optimize

import lightwork as lw

# Numbers, whether numpy is there to be checked or not.
Array = Any


def bowl(x: Array) -> float:
    return float(np.sum((x - 0.5) ** 2))


def waves(x: Array) -> float:
    return float(np.sum(x**2 - 10 * np.cos(2 * np.pi * x) + 10))


def curve(x: float) -> Array:
    return np.exp(-np.array([1.0, 2.0]) * x * x)


@pytest.fixture(params=["processes:2", "threads:2", "inline"], scope="module")
def ex(request: pytest.FixtureRequest) -> Iterator[lw.Executor]:
    with lw.executor(request.param) as executor:
        yield executor


def test_differential_evolution_finds_the_same_minimum_as_without(ex: lw.Executor) -> None:
    options = {"seed": 7, "maxiter": 5, "popsize": 6, "updating": "deferred", "polish": False}

    alone = optimize.differential_evolution(waves, [(-5, 5)] * 3, **options)
    ours = optimize.differential_evolution(waves, [(-5, 5)] * 3, workers=ex.map, **options)

    assert np.array_equal(ours.x, alone.x)


def test_brute_finds_the_same_minimum_as_without(ex: lw.Executor) -> None:
    grid = ((0, 1, 0.125), (0, 1, 0.125))

    assert np.array_equal(optimize.brute(bowl, grid, workers=ex.map), optimize.brute(bowl, grid))


def test_quad_vec_integrates_the_same_as_without(ex: lw.Executor) -> None:
    ours, _ = integrate.quad_vec(curve, -3, 3, workers=ex.map)

    assert np.allclose(ours, integrate.quad_vec(curve, -3, 3)[0])


def test_minimize_takes_its_gradient_in_parallel(ex: lw.Executor) -> None:
    found = optimize.minimize(bowl, np.zeros(4), method="L-BFGS-B", options={"workers": ex.map})

    assert np.allclose(found.x, 0.5, atol=1e-4)
