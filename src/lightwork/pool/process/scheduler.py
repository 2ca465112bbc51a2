"""Scheduler: where each call of a pool is, and the moves from place to place.

Every method is called under the lock of the pool. Without it are used `incoming` and
`decided`, which only grow at one end and shrink at the other, and as a hint `looping`. All
other tables are nobody else's. An end of a call is kept here until the dispatcher has
resolved the future.

Who is given calls: first idle children, equal shares; then new children, as
long as there are places; then children that have just answered, as far as the
plan lets calls wait behind others (send_ahead.py). Other busy children get more when
they answer, so no search through all children is ever needed.
"""

import heapq
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Final

from lightwork import errors
from lightwork.pool.call.coroutine_function import GRACE
from lightwork.pool.call.future import CancelMode
from lightwork.pool.call.options import CallOptions, Split
from lightwork.pool.call.timer_heap import TimerHeap
from lightwork.pool.link.bundle_board import BundleBoard
from lightwork.pool.link.children import Children
from lightwork.pool.link.link import ChildLink
from lightwork.pool.link.poller import Poller
from lightwork.pool.link.process_call import ProcessCall
from lightwork.pool.process.peek import PEEK_FIRST_SECONDS, Peek
from lightwork.pool.process.send_ahead import has_loop_room, has_room
from lightwork.pool.process.settle import Decided
from lightwork.pool.process.waiting_calls import WaitingCalls
from lightwork.pool.wire.frames import Kind

if TYPE_CHECKING:
    from lightwork.errors import WorkerLost

# How often the child of a call with a memory limit is measured.
MEMORY_SECONDS: Final = 0.02
# A bundle of which nothing was begun when its child died is begun again so often.
_STUMBLES_MAX: Final = 2


class Scheduler:
    """The tables of a pool's calls."""

    def __init__(self, children: Children, poller: Poller, seqs: Iterator[int]) -> None:
        self._children = children
        self._seqs = seqs
        self._poller = poller
        # Used without the lock; appending and taking are atomic.
        self.incoming: deque[ProcessCall] = deque()
        self.decided: deque[tuple[ProcessCall, Decided]] = deque()
        # Children that have been given coroutine calls; read without the lock as a hint.
        self.looping: dict[int, ChildLink] = {}
        self._waiting = WaitingCalls()
        self._limits: TimerHeap[ProcessCall] = TimerHeap()
        # Children with answers that no pipe will announce soon.
        self._peeks: dict[int, Peek] = {}
        # Busy children that have answered since calls were last handed out.
        self._roomy: dict[int, ChildLink] = {}
        self._cancels_waiting = False

    @property
    def are_none(self) -> bool:
        """Whether no call is anywhere but with a child."""
        return not (self.incoming or self.are_unstarted or self.decided)

    @property
    def are_waiting(self) -> bool:
        """Whether there are calls that a child could be given now."""
        waiting = self._waiting
        return bool(waiting.plain or waiting.coroutines)

    @property
    def are_unstarted(self) -> bool:
        """Whether there are calls that no child has been given, parked ones among them."""
        return bool(self.are_waiting or self._waiting.parked)

    def take_undecided(self) -> list[ProcessCall]:
        """Take every call whose end is not decided, wherever it is."""
        self._take_in()
        calls = self._waiting.take_all()
        for link in self._children:
            calls += link.held.calls.values()
        return [call for call in calls if not call.is_answered]

    # --- when to look

    def next_look(self) -> float:
        """Return when the dispatcher must look at a limit, a child or a place for one."""
        first = min(self._limits.next(), self._children.next_idle_end())
        parked = self._waiting.parked.next()
        until = min([first, parked, *(peek.at for peek in self._peeks.values())])
        return min(until, self._children.next_start()) if self.are_waiting else until

    def look_at(self, call: ProcessCall, instant: float) -> None:
        """Have the dispatcher look at the limits of the call then."""
        self._limits.look_at(call.seq, call, instant)
        self._poller.wake_before(instant)

    def take_due(self, now: float) -> list[ProcessCall]:
        """Take the calls whose limits are to be looked at now."""
        return self._limits.take_due(now)

    def due_peeks(self, now: float) -> list[Peek]:
        """Return the children whose memory is to be looked into now."""
        return [peek for peek in self._peeks.values() if peek.at <= now]

    def _expect_to_peek(self, link: ChildLink) -> None:
        if link.serial not in self._peeks:
            at = time.monotonic() + PEEK_FIRST_SECONDS
            self._peeks[link.serial] = Peek(link, at)
            self._poller.wake_before(at)

    def forget_child(self, link: ChildLink) -> None:
        """Forget a child that is dead and holds no calls."""
        self._peeks.pop(link.serial, None)
        self._roomy.pop(link.serial, None)
        self.looping.pop(link.serial, None)
        self._children.remove(link)

    # --- giving

    def _take_in(self) -> None:
        """Move what was submitted to the waiting calls."""
        for _ in range(len(self.incoming)):
            try:
                call = self.incoming.popleft()
            except IndexError:
                return  # The pool is over, and another thread refuses what is left.
            if call.options.start_at:
                self._park(call)
            else:
                self._waiting.add(call)

    def hand_out(self, *, may_start: bool) -> None:
        """Give children what they should have now."""
        waiting, children = self._waiting.plain, self._children
        if self.incoming:
            self._take_in()
        if self._waiting.coroutines:
            self._spread(may_start=may_start)
        while waiting and waiting.first().is_answered:
            waiting.take()
        while waiting and children.idle:
            if not self._give(children.last_idle(), -(-len(waiting) // len(children.idle))):
                break
        while waiting and may_start and children.places > 0 and self._start():
            pass
        while waiting and self._roomy:
            _, link = self._roomy.popitem()
            self._give(link, -(-len(waiting) // (len(self._roomy) + 1)))
        self._roomy.clear()
        if waiting and self.looping and (may_start or children.places <= 0):
            self._lend_loops()

    def _give(self, link: ChildLink, most: int) -> int:
        """Give the child up to so many calls; return how many it got."""
        waiting, held = self._waiting.plain, link.held
        before = held.sent_total
        while waiting and held.sent_total - before < most:
            call = waiting.first()
            if call.is_answered:
                waiting.take()
            elif has_room(link, call):
                self._stage(waiting.take(), link)
            else:
                break
        for call in reversed(link.flush()):
            self.put_back(call)
        if len(held.calls) > 1 or held.bundles:
            self._expect_to_peek(link)
        return held.sent_total - before

    def _stage(self, call: ProcessCall, link: ChildLink) -> None:
        options = call.options
        try:
            link.stage(call)
        except (OSError, MemoryError, ValueError) as error:
            # No memory for its arguments: its own fault, or at least its own fate.
            self.decide(call, error)
            return
        self._children.note_given(link)
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
        while self._children.places > 0 and self._start_child() is not None:
            pass

    def _start_child(self) -> ChildLink | None:
        if self._children.is_refused():
            return None
        try:
            return self._children.start()
        except OSError as error:
            self.cannot_start(error)
            return None

    # --- coroutine calls

    def _spread(self, *, may_start: bool) -> None:
        """Give coroutine calls to the children that hold the fewest calls."""
        line, children = self._waiting.coroutines, self._children
        while may_start and children.places > 0 and len(children.idle) < len(line):
            if self._start_child() is None:
                break
        roomy = [
            (len(link.held.calls), link.serial, link)
            for link in children
            if has_loop_room(link, children.async_calls)
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
            if has_loop_room(link, children.async_calls):
                heapq.heappush(roomy, (len(link.held.calls), serial, link))
        self.looping |= given
        for link in given.values():
            for call in reversed(link.flush()):
                self.put_back(call)
            if link.held.must_be_peeked():
                self._expect_to_peek(link)

    def _lend_loops(self) -> None:
        """Give plain calls to children that run only coroutines: no other one is free."""
        for link in sorted(self.looping.values(), key=lambda link: len(link.held.coroutines)):
            if not link.held.coroutines:
                del self.looping[link.serial]
            elif self._waiting.plain and len(link.held.calls) == len(link.held.coroutines):
                self._give(link, 1)

    # --- waiting for their time

    def _park(self, call: ProcessCall) -> None:
        if not call.is_answered:  # Else it was cancelled already.
            self._waiting.park(call)
            self._poller.wake_before(call.options.start_at)

    def unpark(self, now: float) -> None:
        """Let the calls wait for a child whose time has come."""
        self._waiting.unpark(now)

    def run_again(self, call: ProcessCall, options: CallOptions) -> bool:
        """Let a call wait for its next attempt; False: those that wait are cancelled."""
        if self._cancels_waiting:
            return False
        # A new number: what still comes of the old attempt is not mistaken for the new one's.
        call.seq, call.options, call.is_answered = next(self._seqs), options, False
        self._park(call)
        return True

    # --- taking back

    def put_back(self, call: ProcessCall) -> None:
        """Let a call that no child has begun wait again, as the next of its line."""
        if not self._cancels_waiting:
            self._waiting.put_back(call)
        elif not call.is_answered:
            self.decide(call, CancelledError())

    def part(self, call: ProcessCall, at: int) -> None:
        """Let the items of a bundle from `at` on, which were not begun, be a call that waits."""
        rest = call.part(at, next(self._seqs))
        # First: whoever waits for the items must know of it before anything else happens to them.
        self.decided.append((call, Split(call.first, at, rest.future)))
        self.put_back(rest)

    def lose(self, call: ProcessCall, board: BundleBoard, lost: "WorkerLost") -> None:
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
        count = min(begun, call.end - call.first) - done.done()
        self.decide(call, done._replace(lost=lost, lost_items=count) if count > 0 else done)

    def take_back(self, link: ChildLink) -> None:
        """Take back what the child has not begun."""
        for call in reversed(link.recall()):
            self.put_back(call)
        if not link.held.calls:
            self._children.note_free(link)

    def close(self, *, cancel_waiting: bool) -> None:
        """Take in what was submitted; if that is wanted now or was, cancel what has not begun."""
        self._cancels_waiting = self._cancels_waiting or cancel_waiting
        self._take_in()
        if self._cancels_waiting:
            for link in self._children:
                self.take_back(link)
            for call in self._waiting.take_all():
                self.put_back(call)

    def try_withdraw(self, call: ProcessCall, mode: CancelMode, frozen_at: float) -> bool | None:
        """Return whether the call is withdrawn; None: its child is between two calls.

        Args:
            call: One that somebody wants to cancel.
            mode: See Future.cancel.
            frozen_at: From when on a child that is between two calls is taken for frozen.
        """
        if call.is_answered:
            return False
        link = self._children.holder(call)
        if link is not None:
            if mode == "ask":
                link.ask_to_stop(call.seq)
                call.options = call.options._replace(retries=None)
            self.take_back(link)
        if link is not None and call.child:
            if mode != "kill":
                return False
            if call.function.is_async:
                call.is_answered = True
                self.tell_to_end(call, link)
                return True
            seq, _ = link.started()
            if seq == 0 and time.monotonic() < frozen_at:
                return None
            if seq not in {0, call.seq}:
                return False  # It runs the next one: the answer is on its way.
            self.kill(call, link)
        call.is_answered = True
        # It may stay in its line until its turn: without its arguments.
        call.body, call.extent, call.refs = b"", None, ()
        self._limits.drop(call.seq)
        self._waiting.parked.drop(call.seq)
        return True

    def tell_to_end(self, call: ProcessCall, link: ChildLink) -> None:
        """Have the child's loop end a coroutine call, and look whether it obeys."""
        link.send_word(Kind.CANCEL, call.seq)
        self._limits.drop(call.seq)
        self.look_at(call, time.monotonic() + GRACE)

    def weigh(self, link: ChildLink) -> None:
        """Let a child go that its calls have left with too much memory."""
        if self._children.outgrew(link):
            self.take_back(link)

    def replace(self, link: ChildLink) -> None:
        """Let a child go that has said that it is unfit."""
        if self._children.retire(link):
            self.take_back(link)

    def kill(self, call: ProcessCall, link: ChildLink) -> None:
        """Kill the child for the sake of this call, whose end is decided elsewhere."""
        link.forget(call.seq)
        self._children.kill(link)

    def cannot_start(self, error: OSError) -> None:
        """Note that the system refused a child."""
        # Those children that there are have to do; one more is tried later.
        self._children.note_refused(error)
        if len(self._children):
            return
        for call in self._waiting.take_lines():
            if not call.is_answered:
                refusal = errors.PoolError(f"no child could be started for this call: {error}")
                refusal.__cause__ = error
                self.decide(call, refusal)

    # --- what became of them

    def note_roomy(self, link: ChildLink) -> None:
        """The child may be given more when calls are handed out next."""
        self._roomy[link.serial] = link

    def note_answered(self, link: ChildLink) -> None:
        """The child has said something: it may have room, or be free."""
        if link.held.calls:
            self._roomy[link.serial] = link
        else:
            self._children.note_free(link)
        if link.serial in self._peeks and not link.held.must_be_peeked():
            del self._peeks[link.serial]

    def decide(self, call: ProcessCall, decided: Decided) -> None:
        """Keep the end of a call until the dispatcher resolves its future."""
        # Whoever still looks at the arguments has a hold of its own.
        if call.options.retries is None:
            call.extent, call.refs = None, ()
        if call.is_answered:
            return  # A coroutine that was withdrawn has ended now.
        call.is_answered = True
        if call.options.timeout or call.options.max_memory:
            self._limits.drop(call.seq)
        self.decided.append((call, decided))
