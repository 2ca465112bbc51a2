"""Pool: the children of one ProcessExecutor and the calls among them.

    submit ──▶ incoming ──▶ waiting ──▶ link ──packets──▶ child
                               ▲          │                 │
                               └─recall───┘ ◀──frames───────┘
                                          └──▶ future

Submitting appends to `incoming`, which needs no lock. If a child is idle the
submitting thread hands the call over itself: no thread stands in between. All
else is the work of one dispatcher thread (dispatcher.py): it reads answers,
gives children more, learns of deaths, looks at limits, starts children, and it
alone resolves futures, since their callbacks are user code that must run
neither under our lock nor under a submitter's.

Here are the lock, the threads, opening and closing. The tables are the scheduler's
(scheduler.py); answers.py takes in what children say, plain_limits.py and
coroutine_limits.py stop what takes too long, child_events.py buries the dead.

One lock guards every table. A write to a child's pipe happens under it, because
the tables and the pipe must agree for recall to be exact; it never blocks.

No call is overlooked: who appends to `incoming` and then finds the lock taken,
leaves the call to whoever holds it. A submitter looks again after releasing;
the dispatcher announces its sleep, then looks, then sleeps. Nobody ever waits
for the lock in `add`, so even a finalizer that the garbage collector runs in
the middle of this file may submit.

A call is in exactly one place: `incoming`, `parked` until it may start, `waiting`,
one link's table, or nowhere because its future is decided. It is blamed for a child's
death only if the child has left word that it had begun (link/death.py); all others wait again.
Whoever is about to kill a child first takes back what it has not begun and then
looks at what it runs: no other call can begin in between.

Failure handling: a child that dies costs one call. A pool ends ("is broken")
only when its initializer fails, when one child after the other dies before it
is ready (send_ahead.py), or when the pool itself fails; then every future gets a
PoolError, because a future must never hang. Calls of coroutine functions, which
share their child, are different in that: see coroutine_limits.py.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any, Final, TypeVar

from lightwork import errors
from lightwork.error_text import text_of
from lightwork.errors import UsageError
from lightwork.locks.owned_lock import OwnedLock
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.pool.call.free_threading import numbers
from lightwork.pool.call.future import CancelMode, Future, end_cancelled
from lightwork.pool.call.options import CallOptions
from lightwork.pool.link.children import Children, PoolSettings
from lightwork.pool.link.link import ChildLink
from lightwork.pool.link.log_receiver import relog
from lightwork.pool.link.poller import Poller
from lightwork.pool.link.process_call import ProcessCall
from lightwork.pool.memory.argument_arena import Arena
from lightwork.pool.process.answers import Answers
from lightwork.pool.process.child_events import ChildEvents
from lightwork.pool.process.coroutine_limits import CoroutineLimits
from lightwork.pool.process.plain_limits import PlainLimits
from lightwork.pool.process.scheduler import Scheduler
from lightwork.pool.process.settle import Decided, following_options, settle
from lightwork.pool.wire.arguments import pack_arguments, store_ref
from lightwork.pool.wire.frames import Frame, Kind
from lightwork.pool.wire.function import FunctionTable
from lightwork.pool.wire.load_exception import unpack_exception
from lightwork.pool.wire.ref import Ref

log = logging.getLogger(__name__)

T = TypeVar("T")

# A child that neither begins nor answers a call for so long is stopped or frozen.
_FROZEN_SECONDS: Final = 0.1
_STIR_SECONDS: Final = 0.02


class ProcessPool:
    """All state of one pool. Any thread may call the methods of the first part."""

    def __init__(self, settings: PoolSettings) -> None:
        self._functions = FunctionTable()
        self._seqs = numbers(1)
        # What finalizers asked for in the middle of this file; used without the lock.
        self._late: deque[Callable[[], object]] = deque()
        # What children have logged; emptied before more is read.
        self._records: deque[tuple[str, bytes]] = deque()
        self._lock = OwnedLock()
        # A child is ready: whoever waits for that may look.
        self._stirred = threading.Event()
        # All that follows is guarded by _lock.
        with ExitStack() as opened:
            # Without a fork server nothing of it may stay open.
            opened.callback(settings.hooks.close)
            self.poller = Poller()
            opened.callback(self.poller.close)
            self._arena = Arena()
            opened.callback(self._arena.close)
            self._children = Children(settings, self.poller, self._arena)
            opened.pop_all()
        scheduler = Scheduler(self._children, self.poller, self._seqs)
        answers = Answers(self._children, scheduler, self._hear)
        self._scheduler, self._answers = scheduler, answers
        self._plain_limits = PlainLimits(self._children, scheduler, answers)
        self._coroutine_limits = CoroutineLimits(self._children, scheduler, answers)
        self._child_events = ChildEvents(self._children, scheduler, answers, self._break)
        self._is_closing = False
        # Children are to be started for no call.
        self._is_warming = False
        self._is_over = False
        self._error: BaseException | None = None

    # --- for any thread

    def add(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> Future[Any]:
        """Take a call. What cannot be pickled fails its future.

        Raises:
            RuntimeError: The pool is closed, or broken (PoolError).
            UsageError: An async generator function has no result.
        """
        if self._is_closing:
            raise self._refusal()
        try:
            function = self._functions.find(fn)
            body, extent, refs = pack_arguments(self._arena, args, kwargs)
        except UsageError:
            raise
        except Exception as error:
            failed: Future[Any] = Future()
            failed.set_exception(error)
            return failed
        call = ProcessCall(next(self._seqs), function, body, options, self)
        call.extent, call.refs = extent, refs
        self._scheduler.incoming.append(call)
        if self._children.idle:
            self._send_now()
        elif self._children.places > 0:
            self.poller.wake_before(0.0)
        if self._scheduler.looping and self._scheduler.incoming:
            # It needs no idle child, only one whose loop waits.
            self.poller.wake_before(0.0)
        if self._is_over:
            self._refuse_late()
        return call.future

    def put(self, value: T) -> Ref[T]:
        """Pin an object for many calls.

        Raises:
            Exception: Whatever pickling raised.
            RuntimeError: The pool is closed, or broken (PoolError).
        """
        ref = None if self._is_closing else store_ref(self._arena, value, next(self._seqs))
        if ref is None:
            raise self._refusal()
        return ref

    def close(self, *, cancel_waiting: bool) -> None:
        """Take no more calls; end the children when all calls are answered."""
        self._is_closing = True
        if self.is_entered():
            self._do_later(partial(self.close, cancel_waiting=cancel_waiting))
            return
        with Uninterrupted(), self._lock:
            self._scheduler.close(cancel_waiting=cancel_waiting)
        self.poller.wake()

    def close_from_finalizer(self, *, cancel_waiting: bool) -> None:
        """Close without a lock: the garbage collector may be running inside of one."""
        if cancel_waiting or not self._is_closing:
            self._is_closing = True
            self._do_later(partial(self.close, cancel_waiting=cancel_waiting))

    def lend(self, places: int) -> None:
        """Have so many children more than at first."""
        with Uninterrupted(), self._lock:
            self._children.lend(places)
        self.poller.wake()

    def kill_children(self) -> None:
        """Kill every child now; the calls that they run are lost."""
        if self.is_entered():
            self._do_later(self.kill_children)
            return
        with Uninterrupted(), self._lock:
            for link in self._children:
                link.note_unwanted()
                self._children.kill(link)

    def is_entered(self) -> bool:
        """Whether a finalizer asks this, which has interrupted its own thread in this file."""
        return self._lock.is_owned()

    def has_begun(self, call: ProcessCall) -> bool:
        """Whether the call's child has left word that it has begun; takes no lock."""
        link = self._children.holder(call)
        return link is not None and link.has_begun(call.seq)

    def items_begun(self, call: ProcessCall) -> int:
        """Return how many items of a bundle its child has begun; takes no lock."""
        link = self._children.holder(call)
        return link.items_begun(call.seq) if link is not None else 0

    def warm(self) -> None:
        """Have the dispatcher start all children; return when every one of them is ready.

        Raises:
            RuntimeError: The pool is closed, or broken (PoolError).
        """
        try:
            while not self._is_warm():
                self.poller.wake()
                # Bounded: a child may also die, or the pool end.
                self._stirred.wait(_STIR_SECONDS)
        finally:
            with self._lock:
                self._children.may_leave()
            self.poller.wake()

    def _is_warm(self) -> bool:
        self._stirred.clear()
        with self._lock:
            # With a short idle_timeout the first would end before the last is there.
            self._children.stay()
            if self._error is not None or self._is_closing:
                raise self._refusal()
            self._is_warming = self._children.places > 0 and not self._children.is_refused()
            return not self._is_warming and self._children.are_ready()

    def pids(self) -> list[int]:
        """Return the processes of the pool that are known to run."""
        with self._lock:
            return [link.pid for link in self._children if link.pid]

    # --- for the dispatcher

    def next_wait(self) -> float:
        """Return how long the dispatcher may sleep, having said so to the other threads."""
        with self._lock:
            self._scheduler.hand_out(may_start=True)
            if self._is_warming:
                self._scheduler.start_spare()
            if self._is_closing and not self._scheduler.are_unstarted:
                if not len(self._children):
                    return 0.0  # The last call was cancelled, and no child will wake us.
                self._children.stop_free()
            until = self._scheduler.next_look()
            # In here: whoever gives a call to a child next, and has it looked at, finds that we sleep.
            self.poller.announce(until)
        if self._scheduler.incoming or self._scheduler.decided or self._late:
            return 0.0
        return until - time.monotonic()

    def is_finished(self) -> bool:
        """Whether the pool is closed and nothing of it is left."""
        if self._error is not None:
            return True
        with self._lock:
            return self._is_closing and self._scheduler.are_none and not len(self._children)

    def handle_ready(self, fds: list[int]) -> None:
        """Read what children and fork server have sent."""
        for fd in fds:
            if self._children.is_server(fd):
                replies = self._children.read_server()
                with self._lock:
                    self._child_events.handle(replies)
            elif (link := self._children.by_fd(fd)) is not None:
                frames = link.read()
                with self._lock:
                    self._answers.take(link, frames)
                    if link.is_at_end:
                        self._children.ignore_end(link)
                    # Before the futures: the children work meanwhile.
                    self._scheduler.hand_out(may_start=True)
            self._resolve()

    def handle_time(self) -> None:
        """Look at limits, and for answers that wait behind a long call."""
        now = time.monotonic()
        with self._lock:
            for call in self._scheduler.take_due(now):
                is_async = call.function.is_async
                (self._coroutine_limits if is_async else self._plain_limits).check(call)
            self._scheduler.unpark(now)
            self._children.stop_idle(now)
            self._answers.peek_at_due(now)
        while self._late:
            self._late.popleft()()
        self._resolve()

    def fail(self, error: BaseException) -> None:
        """End the pool: every future gets a PoolError."""
        with self._lock:
            self._is_closing = True
            self._error = error if self._error is None else self._error
            for call in self._scheduler.take_undecided():
                self._scheduler.decide(call, self._refusal())

    def release(self) -> None:
        """Kill what is left, give back descriptors and memory; the dispatcher's last act."""
        if self._error is not None:
            self.fail(self._error)
        with self._lock:
            self._is_closing = self._is_over = True
            self._children.hang_up()
            self.poller.close()
            self._arena.close()
        self._refuse_late()
        self._resolve()

    # --- refusing

    def _refusal(self) -> RuntimeError:
        if self._error is None:
            return RuntimeError("cannot schedule new futures after shutdown")
        error = errors.PoolError(f"this pool can run no more calls: {text_of(self._error)}")
        error.__cause__ = self._error
        return error

    def _refuse_late(self) -> None:
        """Fail calls that came in while the dispatcher ended."""
        while self._scheduler.incoming:
            try:
                call = self._scheduler.incoming.popleft()
            except IndexError:  # Another thread was faster.
                return
            call.is_answered = True
            settle(call, self._refusal())

    def _do_later(self, act: Callable[[], object]) -> None:
        """Let the dispatcher, unless it has ended, do what half-changed tables forbid here."""
        if not self._is_over:
            self._late.append(act)
            self.poller.wake_from_finalizer()

    # --- handing out

    def _send_now(self) -> None:
        """Give what came in to idle children, unless somebody else is at it."""
        # The lock may be this thread's: then a finalizer interrupted its holder.
        while self._scheduler.incoming and self._children.idle and not self.is_entered():
            with Uninterrupted():
                if not self._lock.acquire(blocking=False):
                    return
                try:
                    self._scheduler.hand_out(may_start=False)
                except BaseException as error:
                    # The tables may be half-changed.
                    self._error = error if self._error is None else self._error
                    raise
                finally:
                    self._lock.release()
                    is_place_left = self._scheduler.are_waiting and self._children.places > 0
                    if self._scheduler.decided or is_place_left or self._error is not None:
                        self.poller.wake()

    def withdraw(self, call: ProcessCall, mode: CancelMode) -> bool:
        """Take a call back for Future.cancel; see there for the modes."""
        if self.is_entered():
            self._do_later(partial(self.withdraw, call, "no"))
            return False
        frozen_at = time.monotonic() + _FROZEN_SECONDS
        while True:
            with Uninterrupted(), self._lock:
                is_over = self._scheduler.try_withdraw(call, mode, frozen_at)
            if is_over is not None:
                break
            time.sleep(0.0005)
        try:
            if is_over:
                end_cancelled(call.future)
        finally:  # A Ctrl-C in a callback.
            self.poller.wake()
        return is_over

    # --- from children, under the lock

    def _hear(self, link: ChildLink, frame: Frame) -> None:
        """Take in what a child says of itself."""
        if frame.kind == Kind.LOG:
            self._records.append((link.name, frame.body))
        elif frame.kind == Kind.READY:
            link.note_ready()
            self._child_events.note_ready()
            self._stirred.set()
        elif frame.kind == Kind.UNFIT:
            self._scheduler.replace(link)
        else:
            self._error = unpack_exception(frame.body)

    def _break(self, error: BaseException) -> None:
        self._error = error if self._error is None else self._error

    # --- outside the lock, by the dispatcher

    def _resolve(self) -> None:
        self._children.pass_on_output()
        while self._scheduler.decided:
            call, decided = self._scheduler.decided.popleft()
            if call.options.retries is None or not self._run_again(call, decided):
                settle(call, decided)
        while self._records:
            relog(*self._records.popleft())
        while self._children.notes:
            log.log(*self._children.notes.popleft())

    def _run_again(self, call: ProcessCall, decided: Decided) -> bool:
        options = following_options(call.options, decided)
        with self._lock:
            return bool(
                options and self._error is None and self._scheduler.run_again(call, options)
            )
