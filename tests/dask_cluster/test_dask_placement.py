"""Calls run on those Dask workers that have what they need."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from distributed import LocalCluster, SpecCluster
from distributed.scheduler import Scheduler
from distributed.worker import Worker

from dask_cluster import dask_calls as calls
from dask_cluster.clusters import url_of
from lightwork.dask.executor import DaskExecutor
from lightwork.dask.placement import Placement
from lightwork.errors import UsageError

KNOWN: dict[str, dict[str, Any]] = {
    "tcp://10.0.0.1:1": {"name": "small", "host": "10.0.0.1", "nthreads": 4, "resources": {}},
    "tcp://10.0.0.2:2": {"name": 2, "host": "10.0.0.2", "nthreads": 4, "resources": {"GPU": 2.0}},
}


@pytest.mark.parametrize(
    ("resources", "workers", "slots"),
    [
        ({}, (), 8),
        ({"GPU": 1}, (), 2),
        ({"GPU": 0.25}, (), 4),
        ({"GPU": 3}, (), 0),
        ({"TPU": 1}, (), 0),
        ({}, ("small",), 4),
        ({}, ("2",), 4),
        ({}, ("tcp://10.0.0.1:1", "10.0.0.2"), 8),
        ({"GPU": 1}, ("small",), 0),
    ],
)
def test_slots_are_those_of_workers_that_fit(
    resources: dict[str, float], workers: tuple[str, ...], slots: int
) -> None:
    assert Placement(resources=resources, workers=workers).slots(KNOWN) == slots


@pytest.mark.parametrize("resources", [{"GPU": 0}, {"GPU": -1}, {"GPU": "one"}])
def test_what_are_no_resources_is_refused(resources: Any) -> None:
    with pytest.raises(UsageError, match="names and numbers above 0"):
        DaskExecutor("dask", resources=resources)


@pytest.fixture(scope="module")
def two_kinds() -> Iterator[LocalCluster]:
    """A worker with one GPU, called "big", and one without."""
    address = {"host": "127.0.0.1"}
    with SpecCluster(
        scheduler={"cls": Scheduler, "options": address | {"dashboard_address": "127.0.0.1:0"}},
        workers={
            "big": {
                "cls": Worker,
                "options": address | {"nthreads": 2, "resources": {"GPU": 1}, "name": "big"},
            },
            "small": {"cls": Worker, "options": address | {"nthreads": 2, "name": "small"}},
        },
        silence_logs=100,
    ) as found:
        yield found


@pytest.mark.process
def test_calls_run_where_their_resources_are(two_kinds: LocalCluster) -> None:
    with DaskExecutor(url_of(two_kinds), resources={"GPU": 1}) as executor:
        futures = [executor.submit(calls.note_time, 0.02) for _ in range(8)]
        spans = sorted(future.result(60) for future in futures)

    # One GPU: each begins when the one before has ended.
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


@pytest.mark.process
def test_calls_run_on_the_workers_that_are_named(two_kinds: LocalCluster) -> None:
    small = two_kinds.workers["small"].state
    before = small.executed_count

    with DaskExecutor(url_of(two_kinds), workers=["big"]) as executor:
        futures = [executor.submit(calls.note_time, 0.02) for _ in range(8)]
        assert len([future.result(60) for future in futures]) == 8

    assert small.executed_count == before


@pytest.mark.process
@pytest.mark.parametrize("options", [{"resources": {"TPU": 1}}, {"workers": ["absent"]}])
def test_what_no_worker_fits_is_refused_at_once(
    two_kinds: LocalCluster, options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="no worker of the Dask cluster can run calls"):
        DaskExecutor(url_of(two_kinds), **options)
