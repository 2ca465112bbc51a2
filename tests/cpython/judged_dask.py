"""A DaskExecutor as the standard library's tests make executors: on a cluster that is there."""

import os
from typing import Any

from distributed import LocalCluster

from lightwork.dask.executor import DaskExecutor
from lightwork.pool.executor.counts import check_max_workers

# Says to the programs that tests start where the cluster is.
_VARIABLE = "LIGHTWORK_JUDGED_CLUSTER"


class JudgedDaskExecutor(DaskExecutor):
    """DaskExecutor with the arguments of the standard library's."""

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: object = None,
        initializer: Any = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        del mp_context
        check_max_workers(max_workers, lambda: 1)
        super().__init__(os.environ[_VARIABLE], None, initializer, initargs)

    @property
    def _broken(self) -> bool:
        return self._flow.error is not None


def open_cluster() -> LocalCluster:
    """Start the cluster that all executors are on: as many slots as the suite has workers."""
    cluster = LocalCluster(
        n_workers=1,
        threads_per_worker=5,
        host="127.0.0.1",
        dashboard_address=None,
        scheduler_kwargs={"allowed_failures": 0, "dashboard_address": "127.0.0.1:0"},
    )
    os.environ[_VARIABLE] = cluster.scheduler_address.replace("tcp://", "dask://")
    return cluster
