"""Coroutines: what a pool of processes does about calls that have begun on a loop of a child.

Such a call shares its process with others, so nothing here kills if words are
enough: the child is told (ASK, CANCEL) and its loop obeys; time-outs it keeps by
itself (loop_call.py). The pool only looks whether it did:

    GRACE after the instant   the loop is blocked by a step of a coroutine: kill
                              the child, and with it all coroutines that it runs
                              the loop is blocked by a plain call, which is
                              innocent: fail the coroutine call, kill nobody
                              else: look again

A call whose end was decided here stays in the table of its child, as
`is_answered`, until the child says that the coroutine has ended.

A memory limit has no other means than to kill: it costs every coroutine of the
child. Everything is called by the pool, under its lock.
"""

import signal
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Final

from lightwork.errors import WorkerLost
from lightwork.pool.deaths import memory_text
from lightwork.pool.frames import INSTANT, Frame, Kind
from lightwork.pool.future import CancelMode
from lightwork.pool.link import Call, ChildLink
from lightwork.pool.loop_call import GRACE, late_error
from lightwork.pool.memory import resident_bytes
from lightwork.pool.placement import MEMORY_SECONDS, Placement

# A step of a loop that takes longer is no step among others.
_BLOCKED_SECONDS: Final = GRACE / 2
# By then any loop that runs has given up the call: its child is frozen.
_FROZEN_SECONDS: Final = 3 * GRACE
_LOOK_SECONDS: Final = GRACE / 4


class Coroutines:
    """The coroutine calls of a pool that its children run."""

    def __init__(self, calls: Placement, answer: Callable[[ChildLink, list[Frame]], None]) -> None:
        self._calls = calls
        self._answer = answer

    def note(self, link: ChildLink, frame: Frame) -> None:
        """Take a frame of a child's loop into account."""
        if frame.kind == Kind.BEGUN:
            if frame.seq in link.coroutines:
                link.begun[frame.seq] = INSTANT.unpack(frame.body)[0]
        elif (call := link.forget(frame.seq)) is not None:
            link.is_stalled = False
            self._calls.decide(call, CancelledError())

    def withdraw(self, call: Call, link: ChildLink, mode: CancelMode) -> bool:
        """End a call that its child has taken, if that is what is wanted."""
        if mode != "kill":
            return False
        call.is_answered = True
        self._tell(call, link)
        return True

    def check(self, call: Call) -> None:
        """Look whether the call is within its limits, or obeys; the dispatcher is asked to."""
        if (link := call.link) is not None:
            self._answer(link, link.peek())
        # The answer was there, or it waits again.
        if (link := call.link) is None:
            return
        now = time.monotonic()
        options, begun_ns = call.options, link.begun.get(call.seq)
        if begun_ns is None:
            self._calls.look_at(call, now + (options.timeout or MEMORY_SECONDS))
        elif call.is_answered:
            self._check_obedience(call, link)
        elif 0 < options.max_memory < (used := resident_bytes(link.pid)):
            text = memory_text(call.function.name, used=used, limit=options.max_memory)
            self._kill(call, link, WorkerLost(text, exitcode=-signal.SIGKILL, pid=link.pid))
        else:
            late = now - begun_ns * 1e-9 - options.timeout if options.timeout else -GRACE
            self._check_timeout(call, link, late)

    def _check_timeout(self, call: Call, link: ChildLink, late: float) -> None:
        if late >= GRACE and _is_stuck(link, late):
            error = late_error(call.function.name, call.options.timeout)
            if _runs_plain_call(link):
                self._calls.decide(call, error)
                self._tell(call, link)
            else:
                self._kill(call, link, error)
            return
        wait = max(GRACE - late, _LOOK_SECONDS)
        if call.options.max_memory:
            wait = min(wait, MEMORY_SECONDS)
        self._calls.look_at(call, time.monotonic() + wait)

    def _check_obedience(self, call: Call, link: ChildLink) -> None:
        if link.blocked_seconds() >= GRACE and not _runs_plain_call(link):
            self._calls.children.kill(link)
        else:
            # Said again, in case its pipe was full.
            self._tell(call, link)

    def _tell(self, call: Call, link: ChildLink) -> None:
        link.send_word(Kind.CANCEL, call.seq)
        self._calls.limits.drop(call.seq)
        self._calls.look_at(call, time.monotonic() + GRACE)

    def _kill(self, call: Call, link: ChildLink, error: BaseException) -> None:
        self._calls.take_back(link)
        self._calls.kill(call, link)
        self._calls.decide(call, error)


def _is_stuck(link: ChildLink, late: float) -> bool:
    return link.blocked_seconds() >= _BLOCKED_SECONDS or late >= _FROZEN_SECONDS


def _runs_plain_call(link: ChildLink) -> bool:
    started, _ = link.started()
    return started in link.calls
