"""Cluster: the way to Dask: a client, and the local cluster if it is ours.

All that is asked of Dask is asked here, by one thread at a time.
"""

import contextlib
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from distributed import Client, KilledWorker, LocalCluster
from distributed.client import Future as DaskFuture

from lightwork import errors
from lightwork.dask.batch import run_batch
from lightwork.dask.packing import Said
from lightwork.dask.placement import Placement
from lightwork.dask.plugin import PoolPlugin, cancel_on
from lightwork.errors import UsageError
from lightwork.pool.call.future import CancelMode

log = logging.getLogger(__name__)

# A program that shuts down does not wait longer for a cluster that does not answer.
_CLOSE_SECONDS: Final = 5.0
# Larger arguments go to a worker by themselves: Dask warns of tasks of 10 MB.
_SCATTERED_MIN: Final = 4 << 20
# Dask workers of a local cluster have so many threads at most: each passes on all its calls' bytes.
_THREADS_PER_WORKER: Final = 4
_ANYWHERE: Final = Placement()


class Cluster:
    """A connection to a scheduler, for one executor.

    Args:
        name: Of the executor, unique in the cluster.
        address: "tcp://host:8786"; "" starts a cluster here.
        slots: Of that cluster, all together.
        timeout: Seconds to wait for the scheduler.
        security: For TLS, as `distributed.Client` takes it.
        placement: On which of its workers calls run.

    Raises:
        PoolError: There is no scheduler.
    """

    def __init__(
        self,
        name: str,
        address: str,
        *,
        slots: int,
        timeout: float,
        security: Any = None,
        placement: Placement = _ANYWHERE,
    ) -> None:
        self._name = name
        self._placement = placement
        self._local = None if address else _start_local(slots)
        try:
            self._client = Client(
                address or self._local,
                timeout=timeout,
                security=security,
                # It would become what every other use of Dask in this program runs on.
                set_as_default=False,
                name="lightwork",
            )
        except (OSError, TimeoutError) as error:
            raise errors.PoolError(
                f"no Dask scheduler answers at {address} within {timeout} s: {error}; start it "
                "there (`dask scheduler`), or say another address"
            ) from error

    @property
    def address(self) -> str:
        """Where the scheduler is."""
        return str(self._client.scheduler.address) if self._client.scheduler else "its address"

    def open_pools(self, options: Mapping[str, Any], hear: Callable[[Said], None]) -> None:
        """Open a pool on every worker, and hear what calls report.

        Raises:
            UsageError: Workers cannot import lightwork, or an option makes no sense.
        """
        try:
            self._client.register_plugin(PoolPlugin(self._name, options), name=self._name)
        except ImportError as error:
            raise UsageError(
                f"a Dask worker cannot import what calls need: {error}; install lightwork where the "
                "scheduler and its workers run"
            ) from error
        self._client.subscribe_topic(self._name, lambda event: hear(Said(*event[1])))

    def count_slots(self) -> int:
        """Return how many threads all workers have on which calls may run."""
        if self._placement == _ANYWHERE:
            return sum(self._client.nthreads().values())
        return self._placement.slots(self._client.scheduler_info(n_workers=-1)["workers"])

    def is_connected(self) -> bool:
        """Whether the scheduler is there, as far as is known."""
        return bool(self._client.status == "running")

    def start(
        self, key: str, data: bytes, *, priority: int, heard: Callable[[DaskFuture], None]
    ) -> DaskFuture:
        """Start a batch; `heard` is called in a thread of Dask's when it has ended."""
        sent: object = data
        if len(data) > _SCATTERED_MIN:
            sent = self._client.scatter(data, hash=False)
        future = self._client.submit(
            run_batch,
            self._name,
            sent,
            key=key,
            pure=False,
            retries=0,
            priority=priority,
            resources=dict(self._placement.resources) or None,
            workers=list(self._placement.workers) or None,
        )
        future.add_done_callback(heard)
        return future

    def cancel(self, seqs: Sequence[int], mode: CancelMode) -> bool:
        """Cancel calls wherever they run; return whether one did and is over.

        One that no worker knows yet is not begun when it comes: it ends as cancelled then.
        """
        cancel = functools.partial(_cancel_on, name=self._name, seqs=tuple(seqs), mode=mode)
        answers = self._client.run(cancel, on_error="ignore")
        return any(answers.values())

    def give_up_ticket(self, ticket: str) -> None:
        """Forget a ticket whose batch cannot be run again; not there if no worker took it."""
        with contextlib.suppress(KeyError):
            self._client.unpublish_dataset(ticket)

    def close(self) -> None:
        """End the pools, the connection, and the cluster if it is ours."""
        try:
            if self.is_connected():
                self._client.unsubscribe_topic(self._name)
                self._client.unregister_worker_plugin(self._name)
        except Exception:
            log.debug("dask_pools_not_closed", exc_info=True)
        for one in (self._client, self._local):
            try:
                if one is not None:
                    one.close(timeout=_CLOSE_SECONDS)
            except Exception:
                log.debug("dask_not_closed", exc_info=True)


def payload_of(future: DaskFuture) -> bytes | BaseException | None:
    """Return what a batch that has ended says; an exception; or None: the scheduler is lost."""
    try:
        if future.status in {"cancelled", "lost"}:
            return None
        if future.status == "error":
            error: BaseException = future.exception()
            return _lost(error) if isinstance(error, KilledWorker) else _refused(error)
        return bytes(future.result())
    except Exception as error:
        # It was lost between the one and the other.
        return None if future.status in {"cancelled", "lost"} else _refused(error)


def _lost(error: BaseException) -> BaseException:
    lost = errors.WorkerLost(
        f"the Dask worker that this call was on died: {error}", exitcode=0, pid=0
    )
    lost.__cause__ = error
    return lost


def _refused(error: BaseException) -> BaseException:
    refused = errors.PoolError(f"a Dask worker could not run calls: {error!r}")
    refused.__cause__ = error
    return refused


def _cancel_on(dask_worker: Any, *, name: str, seqs: Sequence[int], mode: CancelMode) -> bool:
    return cancel_on(dask_worker, name, seqs, mode)


def _start_local(slots: int) -> LocalCluster:
    workers = -(-slots // _THREADS_PER_WORKER)
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=-(-slots // workers),
        # Nobody else, and no pages: neither asks for a key.
        host="127.0.0.1",
        dashboard_address=None,
        # Its scheduler runs nothing again. What it serves by HTTP all the same finds a free port.
        scheduler_kwargs={"allowed_failures": 0, "dashboard_address": "127.0.0.1:0"},
    )
