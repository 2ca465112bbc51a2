"""What emcee does with `pool=`: it calls `pool.map`."""

from typing import Any

import emcee
import numpy as np
import pytest

import lightwork as lw

# Numbers, whether numpy is there to be checked or not.
Array = Any


def log_prob(x: Array) -> float:
    return float(-0.5 * np.sum(x**2))


def log_prob_with_blob(x: Array) -> tuple[float, float]:
    return log_prob(x), float(x[0])


def refuse(x: Array) -> float:
    raise ValueError("no such place")


def sample(log_prob_fn: object, pool: object) -> emcee.EnsembleSampler:
    start = np.random.default_rng(3).normal(size=(16, 2))
    sampler = emcee.EnsembleSampler(16, 2, log_prob_fn, pool=pool)
    sampler.random_state = np.random.RandomState(5).get_state()
    sampler.run_mcmc(start, 20)
    return sampler


@pytest.mark.parametrize("where", ["processes:2", "threads:2", "inline"])
def test_a_chain_is_the_same_as_without(where: str) -> None:
    with lw.executor(where) as ex:
        ours = sample(log_prob, ex)

    assert np.array_equal(ours.get_chain(), sample(log_prob, None).get_chain())


def test_blobs_come_back_beside_the_probabilities() -> None:
    with lw.executor("processes:2") as ex:
        ours = sample(log_prob_with_blob, ex)

    assert np.array_equal(ours.get_blobs(), ours.get_chain()[:, :, 0])


def test_an_error_of_the_function_arrives_as_itself() -> None:
    with lw.executor("processes:2") as ex, pytest.raises(ValueError, match="no such place"):
        sample(refuse, ex)
