"""Placement: where each call of a pool is, and the moves from place to place.

Every method is called under the lock of the pool; only `incoming` and `decided`
are used without it. What a call's end is, process_pool.py decides; here it is
only kept until the dispatcher has resolved the future.

Who is given calls: first idle children, equal shares; then new children, as
long as there are places; then children that have just answered, as far as the
plan lets calls wait behind others (plan.py). Other busy children get more when
they answer, so no search through all children is ever needed.
"""

import heapq
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Final

from lightwork.errors import PoolError, WorkerLost
from lightwork.pool.board import Board
from lightwork.pool.bundle import Outcome
from lightwork.pool.call import CallOptions, Split
from lightwork.pool.children import Children, has_room
from lightwork.pool.limits import Limits
from lightwork.pool.link import Call, ChildLink
from lightwork.pool.plan import PEEK_FIRST_SECONDS, Waiting
from lightwork.pool.poller import Poller
from lightwork.pool.resolve import Decided

# How often the child of a call with a memory limit is measured.
MEMORY_SECONDS: Final = 0.02
# A bundle of which nothing was begun when its child died is begun again so often.
_STUMBLES_MAX: Final = 2
# After the system refused a child, as long no other one is asked for.
_REFUSED_SECONDS: Final = 0.1


class Placement:
    """The tables of a pool's calls."""

    def __init__(self, children: Children, poller: Poller, seqs: Iterator[int]) -> None:
        self.children = children
        self._seqs = seqs
        self._poller = poller
        # Used without the lock; appending and taking are atomic.
        self.incoming: deque[Call] = deque()
        self.decided: deque[tuple[Call, Decided]] = deque()
        self.waiting: Waiting[Call] = Waiting()
        # Calls of coroutine functions: a child that has no room for others may have it for them.
        self.coroutines: Waiting[Call] = Waiting()
        # Children that have been given some.
        self.looping: dict[int, ChildLink] = {}
        self.limits: Limits[Call] = Limits()
        # Calls whose time to start has not come.
        self.parked: Limits[Call] = Limits()
        # Children with answers that no pipe will announce soon.
        self.peeked: dict[int, ChildLink] = {}
        # Busy children that have answered since calls were last handed out.
        self.roomy: dict[int, ChildLink] = {}
        self.start_again_at = 0.0
        self.cancels_waiting = False

    @property
    def are_none(self) -> bool:
        """Whether no call is anywhere but with a child."""
        return not (self.incoming or self.are_waiting or self.parked or self.decided)

    def clear(self) -> list[Call]:
        """Take every call whose end is not decided, wherever it is."""
        self.take_in()
        calls = self.clear_waiting() + self.parked.take_all()
        for link in self.children:
            calls += link.calls.values()
        return [call for call in calls if not call.is_answered]

    def clear_waiting(self) -> list[Call]:
        """Take every call that no child has been given."""
        return self.waiting.clear() + self.coroutines.clear()

    @property
    def are_waiting(self) -> bool:
        """Whether there are calls that no child has been given."""
        return bool(self.waiting or self.coroutines)

    def next_look(self) -> float:
        """Return when the dispatcher must look at a limit, a child or a place for one."""
        first = min(self.limits.next(), self.children.next_idle_end())
        until = min([first, self.parked.next(), *(link.peek_at for link in self.peeked.values())])
        if self.are_waiting and self.children.places > 0:
            until = min(until, self.start_again_at)
        return until

    def forget_child(self, link: ChildLink) -> None:
        """Forget a child that is dead and holds no calls."""
        self.peeked.pop(link.serial, None)
        self.roomy.pop(link.serial, None)
        self.looping.pop(link.serial, None)
        self.children.remove(link)

    def take_in(self) -> None:
        """Move what was submitted to the waiting calls."""
        for _ in range(len(self.incoming)):
            try:
                call = self.incoming.popleft()
            except IndexError:
                return  # The pool is over, and another thread refuses what is left.
            if call.options.start_at:
                self.park(call)
            else:
                self._wait(call)

    def _wait(self, call: Call) -> None:
        line = self.coroutines if call.function.is_async else self.waiting
        line.add(call, call.options.priority)

    def hand_out(self, *, may_start: bool) -> None:
        """Give children what they should have now."""
        waiting, children = self.waiting, self.children
        if self.incoming:
            self.take_in()
        if self.coroutines:
            self._spread(may_start=may_start)
        while waiting and waiting.first().is_answered:
            waiting.take()
        while waiting and children.idle:
            if not self._give(children.last_idle(), -(-len(waiting) // len(children.idle))):
                break
        while waiting and may_start and children.places > 0 and self._start():
            pass
        while waiting and self.roomy:
            _, link = self.roomy.popitem()
            self._give(link, -(-len(waiting) // (len(self.roomy) + 1)))
        self.roomy.clear()
        if waiting and self.looping and (may_start or children.places <= 0):
            self._lend_loops()

    def _give(self, link: ChildLink, most: int) -> int:
        """Give the child up to so many calls; return how many it got."""
        before = link.sent_total
        while self.waiting and link.sent_total - before < most:
            call = self.waiting.first()
            if call.is_answered:
                self.waiting.take()
            elif has_room(link, call):
                self._stage(self.waiting.take(), link)
            else:
                break
        for call in reversed(link.flush()):
            self.put_back(call)
        if len(link.calls) > 1 or link.bundles:
            self.expect_to_peek(link)
        return link.sent_total - before

    def _stage(self, call: Call, link: ChildLink) -> None:
        options = call.options
        try:
            link.stage(call)
        except (OSError, MemoryError, ValueError) as error:
            # No memory for its arguments: its own fault, or at least its own fate.
            self.decide(call, error)
            return
        self.children.note_given(link)
        if options.timeout or options.max_memory:
            wait = options.timeout or MEMORY_SECONDS
            if options.max_memory:
                wait = min(wait, MEMORY_SECONDS)
            self.look_at(call, time.monotonic() + wait)

    def _start(self) -> bool:
        """Start a child for the next call; return whether to go on."""
        link = self._start_child()
        return link is not None and self._give(link, 1) > 0

    def start_spare(self) -> None:
        """Start every child that there may be, for no call yet."""
        while self.children.places > 0 and self._start_child() is not None:
            pass

    def is_refused(self) -> bool:
        """Whether the system has just refused a child."""
        return time.monotonic() < self.start_again_at

    def _start_child(self) -> ChildLink | None:
        if time.monotonic() < self.start_again_at:
            return None
        try:
            return self.children.start()
        except OSError as error:
            self.cannot_start(error)
            return None

    # --- coroutine calls

    def _spread(self, *, may_start: bool) -> None:
        """Give coroutine calls to the children that hold the fewest calls."""
        line, children = self.coroutines, self.children
        while may_start and children.places > 0 and len(children.idle) < len(line):
            if self._start_child() is None:
                break
        roomy = [
            (len(link.calls), link.serial, link)
            for link in children
            if children.has_loop_room(link)
        ]
        heapq.heapify(roomy)
        given: dict[int, ChildLink] = {}
        while line and roomy:
            call = line.take()
            if call.is_answered:
                continue
            _, serial, link = heapq.heappop(roomy)
            self._stage(call, link)
            given[serial] = link
            if children.has_loop_room(link):
                heapq.heappush(roomy, (len(link.calls), serial, link))
        self.looping |= given
        for link in given.values():
            for call in reversed(link.flush()):
                self.put_back(call)
            if link.must_be_peeked():
                self.expect_to_peek(link)

    def _lend_loops(self) -> None:
        """Give plain calls to children that run only coroutines: no other one is free."""
        for link in sorted(self.looping.values(), key=lambda link: len(link.coroutines)):
            if not link.coroutines:
                del self.looping[link.serial]
            elif self.waiting and len(link.calls) == len(link.coroutines):
                self._give(link, 1)

    def look_at(self, call: Call, instant: float) -> None:
        """Have the dispatcher look at the limits of the call then."""
        self.limits.look_at(call.seq, call, instant)
        self._poller.wake_before(instant)

    def expect_to_peek(self, link: ChildLink) -> None:
        """Have the dispatcher look for answers in the memory of the child from time to time."""
        if link.serial not in self.peeked:
            self.peeked[link.serial] = link
            link.looks = 0
            link.peek_at = time.monotonic() + PEEK_FIRST_SECONDS
            self._poller.wake_before(link.peek_at)

    # --- waiting for their time

    def park(self, call: Call) -> None:
        """Let a call wait until it may start, unless it was cancelled already."""
        if call.is_answered:
            return
        self.parked.look_at(call.seq, call, call.options.start_at)
        self._poller.wake_before(call.options.start_at)

    def run_again(self, call: Call, options: CallOptions) -> bool:
        """Let a call wait for its next attempt; False: those that wait are cancelled."""
        if self.cancels_waiting:
            return False
        # A new number: what still comes of the old attempt is not mistaken for the new one's.
        call.seq, call.options, call.is_answered = next(self._seqs), options, False
        self.park(call)
        return True

    def take_due(self, now: float) -> None:
        """Let the calls wait for a child whose time has come."""
        for call in self.parked.take_due(now):
            self._wait(call)

    # --- taking back

    def put_back(self, call: Call) -> None:
        """Let a call that no child has begun wait again, as the next of its line."""
        if self.cancels_waiting:
            if not call.is_answered:
                self.decide(call, CancelledError())
        else:
            line = self.coroutines if call.function.is_async else self.waiting
            line.put_back(call, call.options.priority)

    def part(self, call: Call, at: int) -> None:
        """Let the items of a bundle from `at` on, which were not begun, be a call that waits."""
        rest = call.part(at, next(self._seqs))
        # First: whoever waits for the items must know of it before anything else happens to them.
        self.decided.append((call, Split(call.first, at, rest.future)))
        self.put_back(rest)

    def lose(self, call: Call, board: Board, lost: WorkerLost) -> None:
        """End a call that ran when its child died; of a bundle, only the item that ran."""
        begun, done = board.read(call)
        if not call.end or (not begun and call.stumbles == _STUMBLES_MAX):
            self.decide(call, lost)
            return
        if not begun:
            # The child died before the first item, perhaps while it imported the function.
            call.stumbles += 1
            self.put_back(call)
            return
        if call.first + begun < call.end:
            self.part(call, call.first + begun)
        is_one_lost = done.pieces() < min(begun, call.end - call.first)
        self.decide(call, Outcome(done, lost=lost if is_one_lost else None))

    def take_back(self, link: ChildLink) -> None:
        """Take back what the child has not begun."""
        for call in reversed(link.recall()):
            self.put_back(call)
        if not link.calls and not link.is_killed:
            self.children.note_free(link)

    def weigh(self, link: ChildLink) -> None:
        """Let a child go that its calls have left with too much memory."""
        if link.is_ready and self.children.outgrew(link):
            self.take_back(link)

    def kill(self, call: Call, link: ChildLink) -> None:
        """Kill the child for the sake of this call, whose end is decided elsewhere."""
        link.forget(call.seq)
        self.children.kill(link)

    def cannot_start(self, error: OSError) -> None:
        """Note that the system refused a child."""
        # Those children that there are have to do; one more is tried later.
        self.start_again_at = time.monotonic() + _REFUSED_SECONDS
        self.children.note_refused(error)
        if len(self.children):
            return
        for call in self.clear_waiting():
            if not call.is_answered:
                refusal = PoolError(f"no child could be started for this call: {error}")
                refusal.__cause__ = error
                self.decide(call, refusal)

    def decide(self, call: Call, decided: Decided) -> None:
        """Keep the end of a call until the dispatcher resolves its future."""
        # Whoever still looks at the arguments has a hold of its own.
        if call.options.retries is None:
            call.extent, call.refs = None, ()
        if call.is_answered:
            return  # A coroutine that was withdrawn has ended now.
        call.is_answered = True
        if call.options.timeout or call.options.max_memory:
            self.limits.drop(call.seq)
        self.decided.append((call, decided))
