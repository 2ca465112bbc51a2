"""Job process: a job with the face of a process: `get_context(url).Process(target=task)`.

start submits it, on whatever workers serve the store; terminate cancels it (one that runs is asked, by
`current().cancelled`), kill kills the child that runs it. It is kept: a worker that dies in the
middle costs an attempt, as the task's policy says, and not the process.
"""

import itertools
import signal
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from types import MappingProxyType
from typing import Any, ClassVar, Final

from lightwork.durable.executor import DurableExecutor
from lightwork.errors import JobFailed, UsageError
from lightwork.multiprocessing.ends import End

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_numbers = itertools.count(1)


class Submitter:
    """The store of one context, opened for its first process. `_lock` guards the executor.

    Attributes:
        started: Processes of the context, as long as somebody holds them.
    """

    def __init__(self, url: str, authkey: bytes) -> None:
        self._url = url
        self._authkey = authkey
        self._lock = threading.Lock()
        self._executor: DurableExecutor | None = None
        self.started: weakref.WeakSet[JobProcess] = weakref.WeakSet()

    def executor(self) -> DurableExecutor:
        """Return what submits."""
        with self._lock:
            if self._executor is None:
                self._executor = DurableExecutor(self._url, authkey=self._authkey)
            return self._executor

    def close(self) -> None:
        """Let go of the store; idempotent."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown()


class JobProcess:
    """A task, called on a worker elsewhere; see `multiprocessing.Process`.

    Raises:
        UsageError: At `start`: the target is no task; the text shows the line that makes it one.
    """

    __module__ = "lightwork.multiprocessing"

    # Of its context.
    _submitter: ClassVar[Submitter]

    def __init__(
        self,
        group: None = None,
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] = _NOTHING,
        *,
        daemon: bool | None = None,
    ) -> None:
        if group is not None:
            raise UsageError(f"group must be None; seen: {group!r}")
        self.name = name or f"{type(self).__name__}-{next(_numbers)}"
        self.daemon = bool(daemon)
        self._call = (target, tuple(args), dict(kwargs))
        self._future: Any = None
        self._end = End()
        self._is_killed = self._is_closed = False

    def start(self) -> None:
        """Submit it.

        Raises:
            UsageError: The target is no task, or it was started before.
        """
        self._check_open()
        if self._future is not None:
            raise UsageError("cannot start a process twice")
        target, args, kwargs = self._call
        if target is None:
            raise UsageError(
                f"{self.name} has no target; a process on workers elsewhere is a call of a task, which "
                "they find by its name, and not `run` of a subclass"
            )
        self._future = self._submitter.executor().submit(target, *args, **kwargs)
        self._future.add_done_callback(lambda _: self._end.reach())
        self._submitter.started.add(self)

    def run(self) -> None:
        """Call the target here, in this process."""
        target, args, kwargs = self._call
        if target is not None:
            target(*args, **kwargs)

    def join(self, timeout: float | None = None) -> None:
        """Return when it has ended, or after so many seconds."""
        self._check_started()
        with suppress(TimeoutError, CancelledError):
            self._future.exception(None if timeout is None else max(timeout, 0.0))

    def is_alive(self) -> bool:
        """Whether it was started and has not ended."""
        self._check_open()
        return self._future is not None and not self._future.done()

    def terminate(self) -> None:
        """Cancel it; if it runs, ask it: it sees `current().cancelled`."""
        self._check_started()
        self._future.cancel(running="ask")

    def kill(self) -> None:
        """Cancel it; if it runs, kill the child that runs it."""
        self._check_started()
        self._is_killed = True
        self._future.cancel(running="kill")

    interrupt = terminate

    def close(self) -> None:
        """Let it not be used any more.

        Raises:
            ValueError: It has not ended.
        """
        if not self._is_closed and self.is_alive():
            raise ValueError("Cannot close a process while it is still running.")
        self._is_closed = True

    @property
    def exitcode(self) -> int | None:
        """None until it has ended; then 0, 1 if it raised, what it gave to `sys.exit`, or minus a signal."""
        self._check_open()
        if self._future is None or not self._future.done():
            return None
        try:
            error = self._future.exception()
        except CancelledError:
            return -signal.SIGKILL if self._is_killed else -signal.SIGTERM
        return _exit_status(error)

    @property
    def pid(self) -> int | None:
        """Of the worker that runs it; None while none does."""
        self._check_open()
        if not self.is_alive():
            return None
        store = self._submitter.executor().store
        job = store.job(self._future.job_id)
        found = [one.pid for one in store.workers() if job is not None and one.id == job.worker]
        return found[0] if found else None

    ident = pid

    @property
    def sentinel(self) -> int:
        """A descriptor that is readable when it has ended."""
        self._check_open()
        if self._future is None:
            raise ValueError("process not started")
        return self._end.sentinel()

    def __repr__(self) -> str:
        status = "closed" if self._is_closed else self._status()
        return f"<{type(self).__name__} name={self.name!r} {status}>"

    def _status(self) -> str:
        if self._future is None:
            return "initial"
        job = f"job={self._future.job_id}"
        return f"{job} started" if self.is_alive() else f"{job} stopped exitcode={self.exitcode}"

    def _check_started(self) -> None:
        self._check_open()
        if self._future is None:
            raise UsageError("can only join or end a started process")

    def _check_open(self) -> None:
        if self._is_closed:
            raise ValueError("process object is closed")


def _exit_status(error: BaseException | None) -> int:
    if error is None:
        return 0
    if not isinstance(error, JobFailed):
        return 1
    if error.error_type.rpartition(".")[2] == "WorkerLost":
        return -signal.SIGKILL
    if error.error_type == "SystemExit":
        # As its text has it: nothing for None, digits for a number.
        code = error.error_text
        return int(code) if code.removeprefix("-").isdecimal() else int(code not in {"", "None"})
    return 1
