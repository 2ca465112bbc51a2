"""Job context: the standard names for jobs on the workers of a store or server."""

from collections.abc import Callable, Iterable
from typing import Any

from lightwork.errors import UsageError
from lightwork.multiprocessing.contexts import Context
from lightwork.multiprocessing.jobs.pool import JobPool
from lightwork.multiprocessing.jobs.process import JobProcess, Submitter
from lightwork.multiprocessing.manager import JobManager, Manager
from lightwork.net.keys.finding import find_authkey
from lightwork.sync.host import Host
from lightwork.sync.opening import open_host


class JobContext(Context):
    """Jobs, on whatever workers serve a store.

    Args:
        url: Of the store, or of a server that offers one.
        authkey: As of an executor; empty: LIGHTWORK_AUTHKEY.
    """

    __module__ = "lightwork.multiprocessing"

    def __init__(self, url: str, *, authkey: bytes = b"") -> None:
        self.where = url
        self._authkey = find_authkey(authkey)
        self._submitter = Submitter(url, self._authkey)
        # One of this context's own, which a program may derive from.
        self.Process: type[JobProcess] = type(
            "JobProcess", (JobProcess,), {"_submitter": self._submitter}
        )

    def active_children(self) -> list[JobProcess]:
        """Return those that this program has started and that have not ended."""
        return [
            one for one in list(self._submitter.started) if not one._is_closed and one.is_alive()
        ]

    def Pool(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        maxtasksperchild: int | None = None,
    ) -> JobPool:
        """Return a pool of jobs; see JobPool.

        Raises:
            UsageError: What is asked for is for the workers to say.
        """
        del initargs
        if initializer is not None or maxtasksperchild is not None:
            raise UsageError(
                "a pool on workers elsewhere has no initializer and no maxtasksperchild: its children are "
                "theirs (`lightwork worker`)"
            )
        return JobPool(self.where, processes, authkey=self._authkey)

    def Manager(self) -> Manager:
        """Return what makes dicts and queues that are kept in the store."""
        return JobManager(self)

    def _host(self) -> Host:
        return open_host(self.where, authkey=self._authkey or None)

    def close(self) -> None:
        """Let go of the store; processes that were started go on. Idempotent."""
        self._submitter.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"
