"""Clusters: a second to start, so each file has one, and each test an executor of its own on it."""

from collections.abc import Iterator

import pytest
from distributed import LocalCluster

from dask_cluster.clusters import local_cluster, url_of, wait_for_workers
from lightwork.dask.executor import DaskExecutor


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two workers with a thread each; what was on one that dies is not run again."""
    with local_cluster(0) as found:
        yield found


@pytest.fixture(scope="module")
def stubborn_cluster() -> Iterator[LocalCluster]:
    """The same, and what was on one that dies is run again three times: Dask's default."""
    with local_cluster(3) as found:
        yield found


@pytest.fixture
def executor(cluster: LocalCluster) -> Iterator[DaskExecutor]:
    wait_for_workers(cluster)
    with DaskExecutor(url_of(cluster)) as found:
        yield found
        found.kill_workers()


@pytest.fixture
def stubborn(stubborn_cluster: LocalCluster) -> Iterator[DaskExecutor]:
    wait_for_workers(stubborn_cluster)
    with DaskExecutor(url_of(stubborn_cluster)) as found:
        yield found
        found.kill_workers()
