"""Overdue: what a pool of processes does about plain calls that have passed a limit.

The child is killed, which costs this call and no other: what the child has not
begun is taken back first. Called by the pool, under its lock. Coroutine calls,
which share their child, have their own rules (coroutines.py).
"""

import signal
import time
from collections.abc import Callable

from lightwork.errors import WorkerLost
from lightwork.pool.deaths import memory_text, timeout_text
from lightwork.pool.frames import Frame
from lightwork.pool.link import Call, ChildLink
from lightwork.pool.memory import resident_bytes
from lightwork.pool.placement import MEMORY_SECONDS, Placement
from lightwork.pool.poller import FOREVER


class Overdue:
    """The limits of plain calls."""

    def __init__(self, calls: Placement, answer: Callable[[ChildLink, list[Frame]], None]) -> None:
        self._calls = calls
        self._answer = answer

    def check(self, call: Call) -> None:
        """Look whether the call is within its limits; the dispatcher is asked to."""
        link, options = call.link, call.options
        if link is None:
            return  # It waits again; a limit is set when it is sent.
        self._answer(link, link.peek())
        seq, seconds = link.started()
        if call.is_answered:
            return
        if seq != call.seq:
            # Not begun: it cannot be overdue before a whole timeout from now.
            self._calls.look_at(call, time.monotonic() + (options.timeout or MEMORY_SECONDS))
        elif 0 < options.timeout <= seconds:
            text = timeout_text(call.function.name, options.timeout)
            self._end(call, link, TimeoutError(text))
        elif 0 < options.max_memory < (used := resident_bytes(link.pid)):
            text = memory_text(call.function.name, used=used, limit=options.max_memory)
            self._end(call, link, WorkerLost(text, exitcode=-signal.SIGKILL, pid=link.pid))
        else:
            left = options.timeout - seconds if options.timeout else FOREVER
            wait = min(left, MEMORY_SECONDS) if options.max_memory else left
            self._calls.look_at(call, time.monotonic() + wait)

    def _end(self, call: Call, link: ChildLink, error: BaseException) -> None:
        self._calls.take_back(link)
        if link.started()[0] == call.seq:
            self._calls.kill(call, link)
            self._calls.decide(call, error)
        # Else it has ended in this very moment: its answer is on its way.
