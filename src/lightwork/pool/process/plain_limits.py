"""Plain limits: what a pool of processes does about plain calls that have passed a limit.

The child is killed, which costs this call and no other: what the child has not
begun is taken back first. Called by the pool, under its lock. Coroutine calls,
which share their child, have their own rules (coroutine_limits.py).
"""

import time

from lightwork.pool.link.children import Children
from lightwork.pool.link.death import out_of_memory, out_of_time
from lightwork.pool.link.link import ChildLink
from lightwork.pool.link.poller import FOREVER
from lightwork.pool.link.process_call import ProcessCall
from lightwork.pool.link.rss import resident_bytes
from lightwork.pool.process.answers import Answers
from lightwork.pool.process.scheduler import MEMORY_SECONDS, Scheduler


class PlainLimits:
    """The limits of plain calls."""

    def __init__(self, children: Children, scheduler: Scheduler, answers: Answers) -> None:
        self._children = children
        self._scheduler = scheduler
        self._answers = answers

    def check(self, call: ProcessCall) -> None:
        """Look whether the call is within its limits; the dispatcher is asked to."""
        link, options = self._children.holder(call), call.options
        if link is None:
            return  # It waits again; a limit is set when it is sent.
        self._answers.peek(link)
        seq, seconds = link.started()
        if call.is_answered:
            return
        if seq != call.seq:
            # Not begun: it cannot be overdue before a whole timeout from now.
            self._scheduler.look_at(call, time.monotonic() + (options.timeout or MEMORY_SECONDS))
        elif 0 < options.timeout <= seconds:
            self._end(call, link, out_of_time(link, call.function.name, options.timeout))
        elif 0 < options.max_memory < (used := resident_bytes(link.pid)):
            name = call.function.name
            self._end(call, link, out_of_memory(link, name, used=used, limit=options.max_memory))
        else:
            left = options.timeout - seconds if options.timeout else FOREVER
            wait = min(left, MEMORY_SECONDS) if options.max_memory else left
            self._scheduler.look_at(call, time.monotonic() + wait)

    def _end(self, call: ProcessCall, link: ChildLink, error: BaseException) -> None:
        self._scheduler.take_back(link)
        if link.started()[0] == call.seq:
            self._scheduler.kill(call, link)
            self._scheduler.decide(call, error)
        # Else it has ended in this very moment: its answer is on its way.
