"""Child events: what a pool does when the fork server tells of its children.

A child was born, has ended, or could not be made. A death costs what link/death.py
says and nothing else: answers that were on their way are read first, and what was
not begun goes back to those who wait. Called by the pool, under its lock.
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Final

from lightwork.pool.link.child_state import ChildEvent, ChildState
from lightwork.pool.link.children import Children
from lightwork.pool.link.death import hopeless_text, lost_calls, server_text, worker_lost
from lightwork.pool.link.fork_client import Born, Exited, Refused
from lightwork.pool.link.link import ChildLink
from lightwork.pool.process.answers import Answers
from lightwork.pool.process.scheduler import Scheduler

log = logging.getLogger(__name__)

# So many children in a row that die before they are ready end a pool of which none
# was ever ready; once children did start, somebody may be killing them.
START_FAILURES_MAX: Final = 3
_RESTART_FAILURES_MAX: Final = 30
# A process that a child has forked may hold its pipe open.
_END_SECONDS: Final = 1.0


class ChildEvents:
    """Births and deaths of children, and whether it makes sense to start more."""

    def __init__(
        self,
        children: Children,
        scheduler: Scheduler,
        answers: Answers,
        break_pool: Callable[[BaseException], None],
    ) -> None:
        self._children = children
        self._scheduler = scheduler
        self._answers = answers
        self._break_pool = break_pool
        self._failures = 0
        self._servers_lost = 0
        self._was_ready = False

    def note_ready(self) -> None:
        """A child has begun to run calls."""
        self._failures = self._servers_lost = 0
        self._was_ready = True

    def handle(self, replies: Sequence[Born | Exited | Refused] | None) -> None:
        """Take in what the fork server has said; None: it is gone."""
        if replies is None:
            self._replace_server()
        for reply in replies or ():
            self._handle_one(self._children.by_serial(reply.serial), reply)

    def _handle_one(self, link: ChildLink, reply: Born | Exited | Refused) -> None:
        if isinstance(reply, Born):
            link.note_born(reply.pid)
            # Its first answers may have come before its pid.
            self._scheduler.weigh(link)
        elif isinstance(reply, Exited):
            self._bury(link, reply.exitcode, reply.peak)
        else:
            link.note(ChildEvent.DIED)
            self._scheduler.take_back(link)
            self._scheduler.forget_child(link)
            self._scheduler.cannot_start(OSError(reply.errno, os.strerror(reply.errno)))

    def _replace_server(self) -> None:
        log.warning("fork_server_lost children=%d", len(self._children))
        # Whoever kills one is not to end the pool; one that can never start is.
        self._servers_lost += 1
        if is_start_hopeless(self._servers_lost, was_ready=self._was_ready):
            self._break_pool(RuntimeError(server_text(self._servers_lost)))
            return
        self._children.replace_server()
        # All together: the pool's lock is held, and the kernel has killed them all at once.
        until = time.monotonic() + _END_SECONDS
        for link in self._children:
            link.wait_for_end(max(until - time.monotonic(), 0.0))
            self._bury(link, -signal.SIGKILL, 0)

    def _bury(self, link: ChildLink, exitcode: int, peak: int) -> None:
        link.note(ChildEvent.DIED)
        self._answers.take(link, link.last_words())
        self._scheduler.take_back(link)
        lost = lost_calls(link)
        # Those who shared it have none of their own.
        of_attempt = link.peak_of_attempt(peak) if len(lost) == 1 else None
        for seq in reversed(list(link.held.calls)):
            call = link.forget(seq)
            assert call is not None
            if seq in lost:
                name = call.function.name
                error = worker_lost(link, exitcode, name, lost=len(lost), peak=of_attempt)
                self._scheduler.lose(call, link.board, error)
            else:
                # Taken from the pipe and never begun: it runs elsewhere.
                self._scheduler.put_back(call)
        self._scheduler.forget_child(link)
        if link.state is ChildState.STILLBORN:
            self._count_failure(exitcode)

    def _count_failure(self, exitcode: int) -> None:
        self._failures += 1
        if is_start_hopeless(self._failures, was_ready=self._was_ready):
            self._break_pool(RuntimeError(hopeless_text(self._failures, exitcode)))


def is_start_hopeless(failures: int, *, was_ready: bool) -> bool:
    """Whether to give up after so many children in a row have died before they were ready."""
    return failures >= (_RESTART_FAILURES_MAX if was_ready else START_FAILURES_MAX)
