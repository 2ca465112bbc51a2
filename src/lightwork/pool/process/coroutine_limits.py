"""Coroutine limits: what a pool of processes does about calls that have begun on a loop of a child.

Such a call shares its process with others, so nothing here kills if words are
enough: the child is told (ASK, CANCEL) and its loop obeys; time-outs it keeps by
itself (call/coroutine_call.py). The pool only looks whether it did:

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

import time
from typing import Final

from lightwork.pool.call.coroutine_function import GRACE, late_error
from lightwork.pool.link.children import Children
from lightwork.pool.link.death import note_kill, out_of_memory
from lightwork.pool.link.link import ChildLink
from lightwork.pool.link.process_call import ProcessCall
from lightwork.pool.link.rss import resident_bytes
from lightwork.pool.process.answers import Answers
from lightwork.pool.process.scheduler import MEMORY_SECONDS, Scheduler

# A step of a loop that takes longer is no step among others.
_BLOCKED_SECONDS: Final = GRACE / 2
# By then any loop that runs has given up the call: its child is frozen.
_FROZEN_SECONDS: Final = 3 * GRACE
_LOOK_SECONDS: Final = GRACE / 4


class CoroutineLimits:
    """The coroutine calls of a pool that its children run."""

    def __init__(self, children: Children, scheduler: Scheduler, answers: Answers) -> None:
        self._children = children
        self._scheduler = scheduler
        self._answers = answers

    def check(self, call: ProcessCall) -> None:
        """Look whether the call is within its limits, or obeys; the dispatcher is asked to."""
        holder = self._children.holder
        if (link := holder(call)) is not None:
            self._answers.peek(link)
        # The answer was there, or it waits again.
        if (link := holder(call)) is None:
            return
        now = time.monotonic()
        options, begun_ns = call.options, link.held.begun.get(call.seq)
        if begun_ns is None:
            self._scheduler.look_at(call, now + (options.timeout or MEMORY_SECONDS))
        elif call.is_answered:
            self._check_obedience(call, link)
        elif 0 < options.max_memory < (used := resident_bytes(link.pid)):
            name = call.function.name
            self._kill(call, link, out_of_memory(link, name, used=used, limit=options.max_memory))
        else:
            late = now - begun_ns * 1e-9 - options.timeout if options.timeout else -GRACE
            self._check_timeout(call, link, late)

    def _check_timeout(self, call: ProcessCall, link: ChildLink, late: float) -> None:
        if late >= GRACE and _is_stuck(link, late):
            error = late_error(call.function.name, call.options.timeout)
            if _runs_plain_call(link):
                self._scheduler.decide(call, error)
                self._scheduler.tell_to_end(call, link)
            else:
                self._kill(call, link, note_kill(error))
            return
        wait = max(GRACE - late, _LOOK_SECONDS)
        if call.options.max_memory:
            wait = min(wait, MEMORY_SECONDS)
        self._scheduler.look_at(call, time.monotonic() + wait)

    def _check_obedience(self, call: ProcessCall, link: ChildLink) -> None:
        if link.blocked_seconds() >= GRACE and not _runs_plain_call(link):
            self._children.kill(link)
        else:
            # Said again, in case its pipe was full.
            self._scheduler.tell_to_end(call, link)

    def _kill(self, call: ProcessCall, link: ChildLink, error: BaseException) -> None:
        self._scheduler.take_back(link)
        self._scheduler.kill(call, link)
        self._scheduler.decide(call, error)


def _is_stuck(link: ChildLink, late: float) -> bool:
    return link.blocked_seconds() >= _BLOCKED_SECONDS or late >= _FROZEN_SECONDS


def _runs_plain_call(link: ChildLink) -> bool:
    started, _ = link.started()
    return started in link.held.calls
