"""Clusters of tests."""

import time

from distributed import LocalCluster


def local_cluster(allowed_failures: int) -> LocalCluster:
    return LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        scheduler_kwargs={
            "allowed_failures": allowed_failures,
            "dashboard_address": "127.0.0.1:0",
        },
        silence_logs=100,
    )


def url_of(cluster: LocalCluster) -> str:
    return str(cluster.scheduler_address).replace("tcp://", "dask://")


def wait_for_workers(cluster: LocalCluster) -> None:
    """Wait for the worker that stands in for one that a test has killed."""
    deadline = time.monotonic() + 60
    while len(cluster.scheduler.workers) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
