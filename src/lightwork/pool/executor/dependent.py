"""Dependent: a call that starts when the futures that it was submitted with are done.

    submit(fn, f1, f2) ──> waits, in no thread ──> start_call(fn, 1, 2) ──> its own future
                             │ one has failed, or was cancelled
                             └──────────────────────────────────> ended without a call

The future that the caller holds stands for both: for what waits, then for the call. The executor
does not end before it has started, as with what is left of a map (map/open_maps.py).

Each end of a future that is waited for comes as a callback, in whatever thread that ends; `_lock`
guards what is waited for and whether that is over, and no code of a user runs under it.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent import futures
from typing import Any, Generic, TypeVar

from lightwork.callables import swapped
from lightwork.error_text import class_name, text_of
from lightwork.errors import DependencyFailed, JobFailed, UsageError
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.pool.call.future import CancelMode, Future, end_cancelled, release
from lightwork.pool.call.options import CallOptions
from lightwork.pool.map.batcher import StartCall
from lightwork.pool.map.open_maps import OpenMaps
from lightwork.pool.wire.display_name import name_of

T = TypeVar("T")
AnyFuture = futures.Future[Any]
# Those of the standard library stay what they are: its executors hand them over, too.
KINDS: tuple[type, ...] = (Future,)


class DependentFuture(Future[T], Generic[T]):
    """Of a call that waits for others."""

    _inner: Future[T] | None = None

    @property
    def progress(self) -> Any:
        """What the call has last reported."""
        return None if self._inner is None else self._inner.progress


class Dependent:
    """One such call; answers for its future until it is over.

    Args:
        start_call: How it is given to its executor.
        maps: What that has still to start.
        call: The function and its arguments.
        options: Of the call.

    Raises:
        UsageError: It is to wait for a job by its id.
    """

    def __init__(
        self,
        start_call: StartCall,
        maps: OpenMaps,
        call: tuple[Callable[..., T], tuple[Any, ...], dict[str, Any]],
        options: CallOptions,
    ) -> None:
        self._start_call = start_call
        self._maps = maps
        self._fn, self._args, self._kwargs = call
        self._options = options._replace(after=(), on_failure="fail")
        self._needs_success = options.on_failure == "fail"
        self._lock = threading.Lock()
        self._parents = _parents(self._args, self._kwargs, options)
        self._left = len(self._parents)
        self._is_over = False
        self._inner: Future[Any] | None = None
        self.name = name_of(self._fn)
        self.future: DependentFuture[Any] = DependentFuture(self)

    def wait(self) -> Future[Any]:
        """Start the call when all are done, which may be now; return its future.

        Raises:
            RuntimeError: They are, and the executor was shut down.
        """
        self._maps.add(self)
        if all(parent.done() for parent in self._parents):
            failed = next(filter(self._has_failed, self._parents), None)
            self._is_over = True
            self._start(raises=True) if failed is None else self._fail(failed)
            return self.future
        for parent in self._parents:
            parent.add_done_callback(self._note_done)
        return self.future

    def _has_failed(self, parent: AnyFuture) -> bool:
        return self._needs_success and (parent.cancelled() or parent.exception() is not None)

    def _note_done(self, parent: AnyFuture) -> None:
        has_failed = self._has_failed(parent)
        with Uninterrupted(), self._lock:
            self._left -= 1
            if self._is_over or (self._left and not has_failed):
                return
            self._is_over = True
        if has_failed:
            self._fail(parent)
        else:
            self._start()

    def _fail(self, parent: AnyFuture) -> None:
        if parent.cancelled():
            _in_turn(lambda: self._end(lambda: end_cancelled(self.future)))
        else:
            error = dependency_failed(self.name, parent)
            _in_turn(lambda: self._end(lambda: self.future.set_exception(error)))

    def _start(self, *, raises: bool = False) -> None:
        try:
            args, kwargs = (swapped(part, KINDS, _value) for part in (self._args, self._kwargs))
            inner = self._start_call(self._fn, args, kwargs, self._options)
        except BaseException as caught:
            # It cannot be started: the executor was shut down, an argument cannot be pickled.
            if raises:
                self._leave()
                raise
            error = caught
            self._end(lambda: self.future.set_exception(error))
            return
        self.future._inner = self._inner = inner
        inner.add_done_callback(self._finish)
        self._leave()

    def _finish(self, inner: AnyFuture) -> None:
        try:
            if inner.cancelled():
                end_cancelled(self.future)
            elif (error := inner.exception()) is not None:
                self.future.set_exception(error)
            else:
                self.future.set_result(inner.result())
        finally:  # A Ctrl-C in a callback.
            release(self.future)

    def _end(self, end: Callable[[], object]) -> None:
        """End the future without a call."""
        try:
            end()
        finally:
            release(self.future)
            self._leave()

    def _leave(self) -> None:
        # What it has waited for may be large, and the future is kept.
        self._args, self._kwargs, self._parents = (), {}, []
        with Uninterrupted():
            self._maps.remove(self)

    # --- for its future, and for whoever shuts the executor down

    def withdraw(self, mode: CancelMode) -> bool:
        """Cancel it; see Future.cancel."""
        with self._lock:
            was_over, self._is_over = self._is_over, True
        if not was_over:
            self._end(lambda: end_cancelled(self.future))
            return True
        inner = self._inner
        return inner is not None and inner.cancel(running=mode)

    def withdraw_rest(self) -> None:
        """Do not start it: the executor ends."""
        self.withdraw("no")

    def is_running(self) -> bool:
        """Whether the call has been given to a thread or child."""
        return self._inner is not None and self._inner.running()

    def has_begun(self) -> bool:
        """Whether the function is known to have begun."""
        return self._inner is not None and self._inner.has_begun()


class _Thread(threading.local):
    """What this thread is about to end."""

    ends: deque[Callable[[], object]] | None = None


_thread = _Thread()


def _in_turn(end: Callable[[], object]) -> None:
    """Do it when what does the same in this thread has done it: a long chain ends without recursion."""
    if _thread.ends is not None:
        _thread.ends.append(end)
        return
    _thread.ends = deque([end])
    try:
        while _thread.ends:
            _thread.ends.popleft()()
    finally:
        _thread.ends = None


def dependency_failed(name: str, parent: AnyFuture) -> DependencyFailed:
    """Return the error of a call that needs one which has failed."""
    error = parent.exception()
    assert error is not None
    cause = error
    known = {
        "parent_id": str(getattr(parent, "job_id", "")),
        "parent_task": "",
        "error_type": class_name(type(error)).removeprefix("builtins."),
        "error_text": text_of(error),
    }
    if isinstance(error, DependencyFailed):
        # Along a chain all name the first one.
        known, cause = {**vars(error)}, error.__cause__ or error
    elif isinstance(error, JobFailed):
        known |= {"error_type": error.error_type, "error_text": error.error_text}
    text = f"{name} was not run: what it needs failed: {known['error_type']}: {known['error_text']}"
    failed = DependencyFailed(text, **{**known, "job_id": ""})
    failed.__cause__ = cause
    return failed


def _parents(
    args: tuple[Any, ...], kwargs: dict[str, Any], options: CallOptions
) -> list[AnyFuture]:
    found: dict[int, AnyFuture] = {}

    def note(future: AnyFuture) -> AnyFuture:
        found[id(future)] = future
        return future

    swapped(args, KINDS, note)
    swapped(kwargs, KINDS, note)
    for one in options.after:
        if not isinstance(one, futures.Future):
            raise UsageError(
                f"after={one}: ids are those of jobs, which are in a store; this executor waits for "
                "futures: pass DurableExecutor.future(id)"
            )
        note(one)
    return list(found.values())


def _value(future: AnyFuture) -> Any:
    if future.cancelled():
        return futures.CancelledError()
    error = future.exception()
    return future.result() if error is None else error
