"""Answers: what children have said, and what a pool makes of it, under its lock.

Frames come through a child's pipe, from its memory while it runs a call (a peek), or as its
last words. In whatever way they come, they are taken in here, in their order.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from typing import Final

from lightwork.pool.link.children import Children
from lightwork.pool.link.link import ChildLink
from lightwork.pool.process.scheduler import Scheduler
from lightwork.pool.process.send_ahead import STALLED_SECONDS
from lightwork.pool.wire.frames import INSTANT, Frame, Kind

# As numbers: every frame is compared with them.
_ANSWERS: Final = (int(Kind.VALUE), int(Kind.ERROR))


class Answers:
    """Takes in frames, and looks for those that no pipe announces."""

    def __init__(
        self,
        children: Children,
        scheduler: Scheduler,
        hear: Callable[[ChildLink, Frame], None],
    ) -> None:
        self._children = children
        self._scheduler = scheduler
        # Told of frames that are about the child and no call.
        self._hear = hear

    def take(self, link: ChildLink, frames: Sequence[Frame]) -> None:
        """Take in what the child has said."""
        scheduler = self._scheduler
        for frame in frames:
            if frame.kind in _ANSWERS:
                if (call := link.forget(frame.seq)) is not None:
                    call.function.learn(frame.micros)
                    if frame.done and call.first + frame.done < call.end:
                        scheduler.part(call, call.first + frame.done)
                    scheduler.decide(
                        call, link.results.open(frame.body) if frame.is_bulk else frame
                    )
            else:
                self._take_other(link, frame)
        if frames:
            scheduler.weigh(link)
        scheduler.note_answered(link)

    def _take_other(self, link: ChildLink, frame: Frame) -> None:
        if frame.kind == Kind.BEGUN:
            link.held.note_begun(frame.seq, INSTANT.unpack(frame.body)[0])
        elif frame.kind == Kind.CANCELLED:
            if (call := link.forget(frame.seq)) is not None:
                self._scheduler.decide(call, CancelledError())
        elif frame.kind == Kind.LET_GO:
            link.held.let_go(frame.seq)
        elif frame.kind == Kind.PROGRESS:
            if (running := link.held.calls.get(frame.seq)) is not None:
                self._scheduler.decided.append((running, frame))
        else:
            self._hear(link, frame)

    def peek(self, link: ChildLink) -> bool:
        """Take in what the child keeps behind the call that it runs; return whether it is any."""
        frames = link.peek()
        self.take(link, frames)
        return bool(frames)

    def peek_at_due(self, now: float) -> None:
        """Look at children that may keep answers, and take back what waits behind a long call."""
        for peek in self._scheduler.due_peeks(now):
            peek.plan_next(now, has_found=self.peek(peek.link))
            self._relieve(peek.link, now)

    def _relieve(self, link: ChildLink, now: float) -> None:
        held = link.held
        if held.bundles:
            self._split(link, now)
        if len(held.calls) < 2 and not held.begun:
            return
        is_stalled = link.is_at_long_step(STALLED_SECONDS)
        held.note_stalled(is_stalled=is_stalled)
        if is_stalled or self._children.idle:
            # What waits there can run elsewhere, or soon can.
            self._scheduler.take_back(link)
            self._scheduler.note_roomy(link)

    def _split(self, link: ChildLink, now: float) -> None:
        """Take back the items behind one that turns out to be long, and half of them for who is idle."""
        calls, board = link.held.calls, link.board
        call = calls.get(board.stalled_call(now, STALLED_SECONDS))
        if call is not None:
            at = board.forbid_rest(call)
        elif self._children.idle and not self._scheduler.are_waiting:
            call = calls.get(board.running_call())
            at = board.forbid_half(call) if call is not None else 0
        else:
            return
        if call is not None and at:
            self._scheduler.part(call, at)
