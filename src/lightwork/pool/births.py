"""Births: what a pool does when the fork server tells of its children.

A child was born, has ended, or could not be made. A death costs what blame.py
says and nothing else: answers that were on their way are read first, and what was
not begun goes back to those who wait. Called by the pool, under its lock.
"""

import logging
import os
import signal
from collections.abc import Callable, Sequence

from lightwork.pool.blame import lost_calls, worker_lost
from lightwork.pool.children import Children
from lightwork.pool.deaths import hopeless_text
from lightwork.pool.fork_client import Born, Exited, Refused
from lightwork.pool.frames import Frame
from lightwork.pool.link import ChildLink
from lightwork.pool.placement import Placement
from lightwork.pool.plan import is_start_hopeless

log = logging.getLogger(__name__)


class Births:
    """Births and deaths of children, and whether it makes sense to start more."""

    def __init__(
        self,
        children: Children,
        calls: Placement,
        answer: Callable[[ChildLink, list[Frame]], None],
        break_pool: Callable[[BaseException], None],
    ) -> None:
        self._children = children
        self._calls = calls
        self._answer = answer
        self._break_pool = break_pool
        self._failures = 0
        self._was_ready = False

    def note_ready(self) -> None:
        """A child has begun to run calls."""
        self._failures = 0
        self._was_ready = True

    def handle(self, replies: Sequence[Born | Exited | Refused] | None) -> None:
        """Take in what the fork server has said; None: it is gone."""
        if replies is None:
            self._replace_server()
        for reply in replies or ():
            self._handle_one(self._children.by_serial(reply.serial), reply)

    def _handle_one(self, link: ChildLink, reply: Born | Exited | Refused) -> None:
        if isinstance(reply, Born):
            link.pid = reply.pid
            # Its first answers may have come before its pid.
            self._calls.weigh(link)
        elif isinstance(reply, Exited):
            self._bury(link, reply.exitcode)
        else:
            link.is_killed = True
            self._calls.take_back(link)
            self._calls.forget_child(link)
            self._calls.cannot_start(OSError(reply.errno, os.strerror(reply.errno)))

    def _replace_server(self) -> None:
        log.warning("fork_server_lost children=%d", len(self._children))
        self._children.replace_server()
        for link in self._children:
            link.is_killed = True
            link.wait_for_end()
            self._bury(link, -signal.SIGKILL)

    def _bury(self, link: ChildLink, exitcode: int) -> None:
        is_expected = link.is_killed or link.is_told_to_stop
        link.is_leaving = link.is_killed = True
        self._answer(link, link.last_words())
        self._calls.take_back(link)
        lost = lost_calls(link)
        for seq in reversed(list(link.calls)):
            call = link.forget(seq)
            assert call is not None
            if seq in lost:
                error = worker_lost(link, exitcode, call.function.name, lost=len(lost))
                self._calls.lose(call, link.board, error)
            else:
                # Taken from the pipe and never begun: it runs elsewhere.
                self._calls.put_back(call)
        self._calls.forget_child(link)
        if not (link.is_ready or is_expected):
            self._count_failure(exitcode)

    def _count_failure(self, exitcode: int) -> None:
        self._failures += 1
        if is_start_hopeless(self._failures, was_ready=self._was_ready):
            self._break_pool(RuntimeError(hopeless_text(self._failures, exitcode)))
