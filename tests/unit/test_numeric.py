"""Numbers: whatever Python takes as one is one, and a bool is none."""

import fractions
from collections.abc import Callable
from typing import Any

import pytest

from lightwork.command.command import Command
from lightwork.durable.own_worker import worker_place
from lightwork.errors import Error
from lightwork.model import Policy
from lightwork.numeric import as_int, as_number, parse_size
from lightwork.pool.executor.counts import check_async_calls, check_max_workers
from lightwork.pool.map.options import MapOptions
from lightwork.pool.process.environment import blas_env
from lightwork.pool.process.executor import _check_calls_per_child, _check_idle_timeout
from lightwork.tasks.task import make_policy


class Index:
    """A whole number that is no int, as `numpy.int64(2)` is none."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


WHOLE: list[Any] = [2, Index(2), type("Int", (int,), {})(2)]
TAKEN: dict[str, Callable[[Any], Any]] = {
    "max_workers": lambda n: check_max_workers(n, lambda: 7),
    "async_calls": check_async_calls,
    "max_tasks_per_child": _check_calls_per_child,
    "idle_timeout": _check_idle_timeout,
    "workers": lambda n: int(worker_place(n).removeprefix("processes:")),
    "chunksize": lambda n: MapOptions(chunksize=n).chunksize,
    "buffersize": lambda n: MapOptions(buffersize=n).buffersize,
    "blas_threads": lambda n: int(
        blas_env(n, cpus=8, children=1, known={})["OMP_NUM_THREADS"],
    ),
    "priority": lambda n: make_policy(Policy(), priority=n).priority,
    "retries": lambda n: make_policy(Policy(), retries=n).retries,
    "max_crashes": lambda n: make_policy(Policy(), max_crashes=n).max_crashes,
    "delay": lambda n: make_policy(Policy(), delay=n).delay,
    "backoff": lambda n: make_policy(Policy(), backoff=n).backoff.base,
    "max_memory": lambda n: make_policy(Policy(), max_memory=n).max_memory,
    "size": parse_size,
    "ok": lambda n: Command(["true"], ok=(n,)).ok[0],
}


@pytest.mark.parametrize("value", WHOLE, ids=["int", "index", "subclass"])
@pytest.mark.parametrize("name", TAKEN)
def test_whatever_is_an_index_is_a_number(name: str, value: Any) -> None:
    taken = TAKEN[name](value)

    assert taken == 2
    assert type(taken) in {int, float}


@pytest.mark.parametrize("value", [True, "2", Index, [2], 2j], ids=repr)
@pytest.mark.parametrize("name", TAKEN)
def test_a_bool_and_what_is_no_number_are_refused(name: str, value: Any) -> None:
    if value == "2" and name in {"size", "max_memory", "workers"}:
        pytest.skip("text is another way to say it")

    with pytest.raises((Error, TypeError)):
        TAKEN[name](value)


def test_a_fraction_is_a_number_and_no_whole_one() -> None:
    half = fractions.Fraction(1, 2)

    assert (as_number(half), as_int(half), as_int(2.0)) == (0.5, None, None)
