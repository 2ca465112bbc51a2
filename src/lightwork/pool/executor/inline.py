"""InlineExecutor: runs each call at once, in the thread that submits it.

For debugging, tests and doctests: breakpoints and tracebacks are where the
submitter is, and every future is done when `submit` returns. Whatever a call
raises is its outcome, as with every executor, with one exception:
KeyboardInterrupt leaves `submit`, because the thread that Ctrl-C meant is the
one that runs the call. Time-outs and memory caps are not enforced. Attempts after
a failure follow here and now, with the declared delays between them; an event
loop that submits, or maps with `async for`, stands still meanwhile.

A coroutine function is run to its end by `asyncio.run`. Where an event loop runs
already, which refuses another one, that happens in a thread of its own: submit
blocks that loop meanwhile, since its future is to be done.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import wait
from typing import Any, TypeVar

from lightwork.error_text import leave_out_own_frames
from lightwork.pool.call.coroutine_function import is_coroutine_function
from lightwork.pool.call.current import Current, run_with
from lightwork.pool.call.future import Future
from lightwork.pool.call.options import CallOptions
from lightwork.pool.call.reporter import reporter_for
from lightwork.pool.call.retrying import after_error, note_attempts
from lightwork.pool.call.run_coroutine import run_to_end
from lightwork.pool.executor.executor import Executor

T = TypeVar("T")

# A function and its arguments.
_Parts = tuple[Callable[..., T], tuple[Any, ...], dict[str, Any]]


class InlineExecutor(Executor):
    """Runs calls in the submitting thread; for debugging and tests.

    A map of what has a length runs whole at the call. Of any other map the first item
    runs at the call, which is the meaning of `map` everywhere, and each other one when its
    result is asked for.
    """

    __module__ = "lightwork"

    _maps_ahead = False

    def __init__(self) -> None:
        self._max_workers = 1
        # Read and written by single operations; a race only admits one call more.
        self._is_closed = False

    def start_call(
        self,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> Future[T]:
        """Run the call; return its finished future.

        Raises:
            RuntimeError: The executor was shut down.
            KeyboardInterrupt: The call was interrupted.
            UsageError: An async generator function has no result.
        """
        if self._is_closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        is_async = is_coroutine_function(fn)
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        parts: _Parts[Any] = (
            (run_to_end, (fn, args, kwargs), {}) if is_async else (fn, args, kwargs)
        )
        attempt: CallOptions | None = options
        while attempt is not None:
            attempt = _run_attempt(future, parts, attempt)
        return future

    def _start_after(
        self,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> Future[T]:
        """Wait here, since the future is to be done."""
        future = super()._start_after(fn, args, kwargs, options)
        # Only where it waits for those of other executors it is not done.
        wait([future])
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - as in the standard library
        """Take no more calls; none is ever pending."""
        self._is_closed = True


def _run_attempt(future: Future[T], call: _Parts[T], options: CallOptions) -> CallOptions | None:
    """Run the call once; resolve its future, or return the options of the next attempt."""
    if options.start_at:
        time.sleep(max(options.start_at - time.monotonic(), 0.0))
    name, report = threading.current_thread().name, reporter_for(options.on_progress, future)
    try:
        result = run_with(Current(name, report, attempt=options.attempt), *call)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # It belongs to whoever asks for the result.
        leave_out_own_frames(error)
        following = after_error(options, error)
        if following is None:
            note_attempts(options, error)
            future.set_exception(error)
        return following
    else:
        future.set_result(result)
        return None
    finally:
        # The error's traceback holds this frame, and the future holds the error.
        del future
