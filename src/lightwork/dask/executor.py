"""DaskExecutor: calls on a Dask cluster; what a program holds. See __init__.py for how."""

import inspect
import itertools
import os
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from lightwork.callables import AnyTask
from lightwork.dask.call import DaskCall
from lightwork.dask.cluster import Cluster
from lightwork.dask.flow import Flow
from lightwork.dask.packing import dump
from lightwork.dask.placement import Placement
from lightwork.errors import UsageError
from lightwork.pool.call.coroutine_function import is_coroutine_function
from lightwork.pool.call.future import Future
from lightwork.pool.call.hooks import make_hooks
from lightwork.pool.call.options import CallOptions
from lightwork.pool.executor.at_exit import OpenExecutors
from lightwork.pool.executor.counts import check_max_workers
from lightwork.pool.executor.cpus import usable_cpus
from lightwork.pool.executor.executor import Executor
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.wire.display_name import name_of

T = TypeVar("T")

_open_executors: Final[OpenExecutors["DaskExecutor"]] = OpenExecutors(use_others=True)
_POOL_OPTIONS: Final = frozenset(inspect.signature(ProcessExecutor).parameters)
_OF_THIS_PROGRAM: Final = frozenset({"mp_context", "logs", "output"})
_PLAIN, _TLS = "dask://", "dask+tls://"


class DaskExecutor(Executor):
    """Runs calls on the workers of a Dask cluster, each on a child of a pool there.

    At least once: Dask runs again what was on a worker that it lost, unless the task says
    `idempotent=False`. A call whose Dask worker is lost for good fails with WorkerLost; when the
    scheduler is, all do with PoolError.

    Args:
        where: "dask://host:8786", or "dask+tls://" with `security`; "dask" starts a cluster on this
            machine, which is ours: nobody else reaches it, and it runs nothing again.
        max_workers: How many children that cluster has; default: the CPUs this process may use.
            Elsewhere a Dask worker has as many as threads.
        initializer: As for ProcessExecutor, in each child.
        initargs: The same.
        timeout: Seconds to wait for the scheduler.
        security: A `distributed.Security`, for TLS.
        resources: What each call takes of its Dask worker, as that was started with: {"GPU": 1}.
        workers: Addresses, names or hosts of the Dask workers that may run calls; default: all.
        pool_options: Others of ProcessExecutor, such as `max_memory_per_child`, but for those
            that are about this program: logs and output.

    Raises:
        UsageError: An option makes no sense, workers have no lightwork, or none has the resources.
        PoolError: There is no scheduler.
    """

    def __init__(
        self,
        where: str = "dask",
        max_workers: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        timeout: float = 10.0,
        security: Any = None,
        resources: Mapping[str, float] | None = None,
        workers: Sequence[str] = (),
        **pool_options: Any,
    ) -> None:
        make_hooks(initializer, initargs, None, ())
        address = _address_of(where)
        if address and max_workers is not None:
            raise UsageError("max_workers is for a cluster of this program; that one has its own")
        options = _check_pool_options(pool_options)
        if initializer is not None:
            options |= {"initializer": initializer, "initargs": initargs}
        self._name = f"lightwork-{uuid.uuid4().hex}"
        self._pid = os.getpid()
        slots = 0 if address else check_max_workers(max_workers, usable_cpus)
        placement = Placement(resources=resources or {}, workers=tuple(workers))
        cluster = Cluster(
            self._name,
            address,
            slots=slots,
            timeout=timeout,
            security=security,
            placement=placement,
        )
        try:
            self._max_workers = _check_fit(placement, cluster.count_slots())
            is_alone = bool(placement.resources)
            self._flow = Flow(self._name, cluster, self._max_workers, is_alone=is_alone)
            cluster.open_pools(options, self._flow.hear)
        except BaseException:
            cluster.close()
            raise
        self._seqs = itertools.count(1)
        self._thread = threading.Thread(target=self._flow.run, name="lightwork-dask")
        self._thread.start()
        _open_executors.add(self)

    def start_call(
        self,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> Future[T]:
        """Take one call with explicit options; see Executor."""
        if self._pid != os.getpid():
            raise RuntimeError(
                f"this executor belongs to process {self._pid}; "
                "a forked process must create one of its own"
            )
        is_async = is_coroutine_function(fn)
        try:
            packed = dump(fn), dump((args, kwargs))
        except Exception as error:
            failed: Future[T] = Future()
            failed.set_exception(error)
            return failed
        call = DaskCall(
            next(self._seqs),
            packed,
            options,
            name=name_of(fn),
            is_async=is_async,
            is_idempotent=not isinstance(fn, AnyTask) or fn.policy.idempotent,
            owner=self._flow,
        )
        self._flow.add(call)
        return call.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the standard library's signature
        """Take no more calls; with `wait`, return when all are done and the pools are closed."""
        if self._pid != os.getpid():
            return
        may_wait = wait and self._thread is not threading.current_thread()
        if self._is_ended_later(wait=may_wait, cancel_futures=cancel_futures):
            return
        self._flow.close(cancel_waiting=cancel_futures)
        if may_wait:
            self._thread.join()

    def kill_workers(self) -> None:
        """Cancel what waits, and kill what runs on the pools of this executor."""
        if self._pid != os.getpid():
            return
        self.shutdown(wait=False, cancel_futures=True)
        self._flow.close(cancel_waiting=True, kill_sent=True)

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            # Whoever pressed Ctrl-C does not want to wait for an hour's work.
            self.kill_workers()
        self.shutdown(wait=True)
        self._check_read(kind)

    def __del__(self) -> None:
        # Never join here: the collector may run in any thread. The one lock that is taken is
        # reentrant, and nobody waits under it.
        flow = getattr(self, "_flow", None)
        if flow is not None and hasattr(self, "_thread") and self._pid == os.getpid():
            flow.close(cancel_waiting=False)


def _address_of(where: str) -> str:
    """Return Dask's address; "" for a cluster of this program."""
    for scheme, theirs in ((_PLAIN, "tcp://"), (_TLS, "tls://")):
        if where.startswith(scheme):
            host, colon, port = where.removeprefix(scheme).rstrip("/").rpartition(":")
            if not (host and colon and port.isdecimal()):
                break
            return f"{theirs}{host}:{port}"
    if where == "dask":
        return ""
    raise UsageError(
        f'{where!r} is no Dask cluster; expected "dask://host:8786", or "dask" for one on this machine'
    )


def _check_fit(placement: Placement, slots: int) -> int:
    """Return how many calls run at once. What no worker can run would wait for ever, closed or not."""
    if slots < 1 and placement != Placement():
        raise UsageError(
            f"no worker of the Dask cluster can run calls with resources={dict(placement.resources)!r:.200} "
            f"and workers={list(placement.workers)!r:.200}; expected what one of them was started with "
            "(`dask worker --resources GPU=1 --name NAME`)"
        )
    return max(slots, 1)


def _check_pool_options(options: dict[str, Any]) -> dict[str, Any]:
    if unknown := [one for one in options if one not in _POOL_OPTIONS - _OF_THIS_PROGRAM]:
        raise UsageError(f"{', '.join(unknown)}: no option of a pool on a Dask worker")
    return options
