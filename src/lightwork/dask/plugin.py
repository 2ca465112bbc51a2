"""Plugin: a pool of processes on each Dask worker, for as long as an executor is open.

Dask's own threads cannot be interrupted, and die with their worker; children can, and die alone.
A worker that joins later gets its pool as well. Children without calls end after a minute, so what
a killed program leaves on a cluster are pools without any.
"""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from distributed import Worker, get_worker
from distributed.diagnostics.plugin import WorkerPlugin

from lightwork.dask.packed_function import PackedFunctions
from lightwork.pool.call.future import CancelMode, Future
from lightwork.pool.process.executor import ProcessExecutor

IDLE_SECONDS: Final = 60.0


class PoolPlugin(WorkerPlugin):  # type: ignore[misc]
    """The pool of one executor on one Dask worker.

    Args:
        name: Of the executor, unique.
        options: For ProcessExecutor; as many children as the worker has threads.
    """

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self._options = dict(options)

    def setup(self, worker: Worker) -> None:
        """Open the pool."""
        options = {"idle_timeout": IDLE_SECONDS, "max_workers": worker.state.nthreads}
        self.pool = ProcessExecutor(**{**options, **self._options})
        self.functions = PackedFunctions()
        self.worker = worker
        self._lock = threading.Lock()  # guards what follows
        self._running: dict[int, Future[Any]] = {}
        self._revoked: set[int] = set()

    def teardown(self, worker: Worker) -> None:
        """Kill what runs: who closes the executor normally has waited for it."""
        del worker
        with suppress(AttributeError):  # Its setup has failed.
            self.pool.kill_workers()

    def tell(self, report: tuple[int, float, float, str]) -> None:
        """Send what a call reports to the program, by the scheduler."""
        self.worker.log_event(self.name, report)

    def note_running(self, seq: int, future: Future[Any]) -> bool:
        """Remember a call; return whether it was cancelled before it came here."""
        with self._lock:
            self._running[seq] = future
            is_revoked = seq in self._revoked
            self._revoked.discard(seq)
        return is_revoked

    def note_end(self, seq: int) -> None:
        """Forget a call."""
        with self._lock:
            self._running.pop(seq, None)

    def cancel(self, seq: int, mode: CancelMode) -> bool:
        """Cancel a call that runs here; one that has yet to come, if it comes, is not begun."""
        with self._lock:
            future = self._running.get(seq)
            if future is None:
                if mode == "kill":
                    self._revoked.add(seq)
                return False
        return future.cancel(running=mode)


def pool_here(name: str) -> PoolPlugin:
    """Return the pool of an executor, on the Dask worker whose task runs here."""
    found: PoolPlugin = get_worker().plugins[name]
    return found


def cancel_on(dask_worker: Worker, name: str, seqs: Sequence[int], mode: CancelMode) -> bool:
    """Cancel calls on this Dask worker, which `Client.run` names; return whether any is over."""
    plugin: PoolPlugin | None = dask_worker.plugins.get(name)
    if plugin is None:
        return False
    # Each of them, whatever became of the ones before.
    answers = [plugin.cancel(seq, mode) for seq in seqs]
    return any(answers)
