"""Process pool: the children of one ProcessExecutor and the calls among them.

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

One lock guards every table. A write to a child's pipe happens under it, because
the tables and the pipe must agree for recall to be exact; it never blocks.

No call is overlooked: who appends to `incoming` and then finds the lock taken,
leaves the call to whoever holds it. A submitter looks again after releasing;
the dispatcher announces its sleep, then looks, then sleeps. Nobody ever waits
for the lock in `add`, so even a finalizer that the garbage collector runs in
the middle of this file may submit.

A call is in exactly one place: `incoming`, `parked` until it may start, `waiting`,
one link's table, or nowhere because its future is decided. It is blamed for a child's
death only if the child has left word that it had begun (blame.py); all others wait again.
Whoever is about to kill a child first takes back what it has not begun and then
looks at what it runs: no other call can begin in between.

Failure handling: a child that dies costs one call. A pool ends ("is broken")
only when its initializer fails, when one child after the other dies before it
is ready (plan.py), or when the pool itself fails; then every future gets a
PoolError, because a future must never hang. Calls of coroutine functions, which
share their child, are different in that: see coroutines.py.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from lightwork.error_text import text_of
from lightwork.errors import PoolError, UsageError
from lightwork.pool.again import without_retries
from lightwork.pool.arena import Arena
from lightwork.pool.arguments import pack_arguments, store_ref
from lightwork.pool.births import Births
from lightwork.pool.call import CallOptions
from lightwork.pool.children import Children, PoolSettings
from lightwork.pool.coroutines import Coroutines
from lightwork.pool.frames import Frame, Kind
from lightwork.pool.function import FunctionTable
from lightwork.pool.future import CancelMode, Future
from lightwork.pool.gil import numbers
from lightwork.pool.link import Call, ChildLink
from lightwork.pool.overdue import Overdue
from lightwork.pool.placement import Placement
from lightwork.pool.plan import STALLED_SECONDS, next_peek_delay
from lightwork.pool.poller import Poller
from lightwork.pool.ref import Ref
from lightwork.pool.relog import relog
from lightwork.pool.remote import unpack_exception
from lightwork.pool.resolve import Decided, following_options, resolve
from lightwork.uninterrupted import Uninterrupted

log = logging.getLogger(__name__)

T = TypeVar("T")

# A child that neither begins nor answers a call for so long is stopped or frozen.
_FROZEN_SECONDS: Final = 0.1
_STIR_SECONDS: Final = 0.02
# As numbers: every frame is compared with them.
_ANSWERS: Final = (int(Kind.VALUE), int(Kind.ERROR))


class ProcessPool:
    """All state of one pool. Any thread may call the methods of the first part."""

    def __init__(self, settings: PoolSettings) -> None:
        self._functions = FunctionTable()
        self._seqs = numbers(1)
        self.poller = Poller()
        # What finalizers asked for in the middle of this file; used without the lock.
        self._late: deque[Callable[[], object]] = deque()
        # What children have logged; emptied before more is read.
        self._records: deque[tuple[str, bytes]] = deque()
        # Reentrant only so that it can tell whether this thread holds it.
        self._lock = threading.RLock()
        # A child is ready: whoever waits for that may look.
        self._stirred = threading.Event()
        # All that follows is guarded by _lock.
        self._arena = Arena()
        self._children = Children(settings, self.poller, self._arena)
        self._calls = Placement(self._children, self.poller, self._seqs)
        self._overdue = Overdue(self._calls, self._answer)
        self._coroutines = Coroutines(self._calls, self._answer)
        self._births = Births(self._children, self._calls, self._answer, self._break)
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
            if function.is_async:
                # Its child keeps the time.
                args = (options.timeout, *args)
            body, extent, refs = pack_arguments(self._arena, args, kwargs)
        except UsageError:
            raise
        except Exception as error:
            failed: Future[Any] = Future()
            failed.set_exception(error)
            return failed
        call = Call(next(self._seqs), function, body, options, self._withdraw)
        call.extent, call.refs = extent, refs
        self._calls.incoming.append(call)
        if self._children.idle:
            self._send_now()
        elif self._children.places > 0:
            self.poller.wake_before(0.0)
        if self._calls.looping and self._calls.incoming:
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
            self._calls.cancels_waiting = self._calls.cancels_waiting or cancel_waiting
            self._calls.take_in()
            if self._calls.cancels_waiting:
                for link in self._children:
                    self._calls.take_back(link)
                for call in self._calls.clear_waiting() + self._calls.parked.take_all():
                    self._calls.put_back(call)
        self.poller.wake()

    def close_from_finalizer(self, *, cancel_waiting: bool) -> None:
        """Close without a lock: the garbage collector may be running inside of one."""
        if cancel_waiting or not self._is_closing:
            self._is_closing = True
            self._do_later(partial(self.close, cancel_waiting=cancel_waiting))

    def kill_children(self) -> None:
        """Kill every child now; the calls that they run are lost."""
        if self.is_entered():
            self._do_later(self.kill_children)
            return
        with Uninterrupted(), self._lock:
            for link in self._children:
                self._children.kill(link)

    def is_entered(self) -> bool:
        """Whether a finalizer asks this, which has interrupted its own thread in this file."""
        return self._lock._is_owned()  # type: ignore[attr-defined, no-any-return]

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
            self._is_warming = self._children.places > 0 and not self._calls.is_refused()
            return not self._is_warming and all(link.is_ready for link in self._children)

    def pids(self) -> list[int]:
        """Return the processes of the pool that are known to run."""
        with self._lock:
            return [link.pid for link in self._children if link.pid]

    # --- for the dispatcher

    def next_wait(self) -> float:
        """Return how long the dispatcher may sleep, having said so to the other threads."""
        with self._lock:
            self._calls.hand_out(may_start=True)
            if self._is_warming:
                self._calls.start_spare()
            if self._is_closing and not (self._calls.are_waiting or self._calls.parked):
                if not len(self._children):
                    return 0.0  # The last call was cancelled, and no child will wake us.
                self._stop_free_children()
            until = self._calls.next_look()
        self.poller.announce(until)
        if self._calls.incoming or self._calls.decided or self._late:
            return 0.0
        return until - time.monotonic()

    def is_finished(self) -> bool:
        """Whether the pool is closed and nothing of it is left."""
        if self._error is not None:
            return True
        with self._lock:
            return self._is_closing and self._calls.are_none and not len(self._children)

    def handle_ready(self, fds: list[int]) -> None:
        """Read what children and fork server have sent."""
        for fd in fds:
            if self._children.is_server(fd):
                replies = self._children.read_server()
                with self._lock:
                    self._births.handle(replies)
            elif (link := self._children.by_fd(fd)) is not None:
                frames = link.read()
                with self._lock:
                    self._answer(link, frames)
                    if link.is_at_end:
                        self._children.ignore_end(link)
                    # Before the futures: the children work meanwhile.
                    self._calls.hand_out(may_start=True)
            self._resolve()

    def handle_time(self) -> None:
        """Look at limits, and for answers that wait behind a long call."""
        now = time.monotonic()
        with self._lock:
            for call in self._calls.limits.take_due(now):
                (self._coroutines if call.function.is_async else self._overdue).check(call)
            self._calls.take_due(now)
            self._children.stop_idle(now)
            for link in [link for link in self._calls.peeked.values() if link.peek_at <= now]:
                self._peek(link, now)
        while self._late:
            self._late.popleft()()
        self._resolve()

    def fail(self, error: BaseException) -> None:
        """End the pool: every future gets a PoolError."""
        with self._lock:
            self._is_closing = True
            self._error = error if self._error is None else self._error
            for call in self._calls.clear():
                self._calls.decide(call, self._refusal())

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
        error = PoolError(f"this pool can run no more calls: {text_of(self._error)}")
        error.__cause__ = self._error
        return error

    def _refuse_late(self) -> None:
        """Fail calls that came in while the dispatcher ended."""
        while self._calls.incoming:
            try:
                call = self._calls.incoming.popleft()
            except IndexError:  # Another thread was faster.
                return
            call.is_answered = True
            resolve(call, self._refusal())

    def _do_later(self, act: Callable[[], object]) -> None:
        """Let the dispatcher, unless it has ended, do what half-changed tables forbid here."""
        if not self._is_over:
            self._late.append(act)
            self.poller.wake_from_finalizer()

    # --- handing out

    def _send_now(self) -> None:
        """Give what came in to idle children, unless somebody else is at it."""
        # The lock may be this thread's: then a finalizer interrupted its holder.
        while self._calls.incoming and self._children.idle and not self.is_entered():
            with Uninterrupted():
                if not self._lock.acquire(blocking=False):
                    return
                try:
                    self._calls.hand_out(may_start=False)
                except BaseException as error:
                    # The tables may be half-changed.
                    self._error = error if self._error is None else self._error
                    raise
                finally:
                    self._lock.release()
                    is_place_left = self._calls.are_waiting and self._children.places > 0
                    if self._calls.decided or is_place_left or self._error is not None:
                        self.poller.wake()

    # --- taking back, under the lock

    def _withdraw(self, call: Call, mode: CancelMode) -> bool:
        """Take a call back for Future.cancel; see there for the modes."""
        if self.is_entered():
            self._do_later(partial(self._withdraw, call, "no"))
            return False
        frozen_at = time.monotonic() + _FROZEN_SECONDS
        while (is_over := self._try_withdraw(call, mode, frozen_at)) is None:
            time.sleep(0.0005)
        try:
            if is_over:
                call.future._end_cancelled()
        finally:  # A Ctrl-C in a callback.
            self.poller.wake()
        return is_over

    def _try_withdraw(self, call: Call, mode: CancelMode, frozen_at: float) -> bool | None:
        """Return whether the call is withdrawn; None: its child is between two calls."""
        with Uninterrupted(), self._lock:
            if call.is_answered:
                return False
            link = call.link
            if link is not None:
                if mode == "ask":
                    link.ask_to_stop(call.seq)
                    call.options = without_retries(call.options)
                self._calls.take_back(link)
            if link is not None and call.link is not None:
                if call.function.is_async:
                    return self._coroutines.withdraw(call, link, mode)
                if mode != "kill":
                    return False
                seq, _ = link.started()
                if seq == 0 and time.monotonic() < frozen_at:
                    return None
                if seq not in {0, call.seq}:
                    return False  # It runs the next one: the answer is on its way.
                self._calls.kill(call, link)
            call.is_answered = True
            # It may stay in `waiting` until its turn: without its arguments.
            call.body, call.extent, call.refs = b"", None, ()
            self._calls.limits.drop(call.seq)
            self._calls.parked.drop(call.seq)
            return True

    # --- what became of calls

    def _answer(self, link: ChildLink, frames: list[Frame]) -> None:
        for frame in frames:
            if frame.kind in _ANSWERS:
                link.is_stalled = False
                if (call := link.forget(frame.seq)) is not None:
                    call.function.learn(frame.micros)
                    if frame.done and call.first + frame.done < call.end:
                        self._calls.part(call, call.first + frame.done)
                    self._calls.decide(call, link.open_result(frame) if frame.is_bulk else frame)
            elif frame.kind in (Kind.BEGUN, Kind.CANCELLED):
                self._coroutines.note(link, frame)
            elif frame.kind == Kind.LET_GO:
                link.note_let_go(frame.seq)
            elif frame.kind == Kind.PROGRESS:
                if (running := link.calls.get(frame.seq)) is not None:
                    self._calls.decided.append((running, frame))
            elif frame.kind == Kind.LOG:
                self._records.append((link.name, frame.body))
            elif frame.kind == Kind.READY:
                link.note_ready()
                self._births.note_ready()
                self._stirred.set()
            else:
                self._error = unpack_exception(frame.body)
        if frames:
            self._calls.weigh(link)
        if link.calls:
            self._calls.roomy[link.serial] = link
        else:
            self._children.note_free(link)
        if link.serial in self._calls.peeked and not link.must_be_peeked():
            del self._calls.peeked[link.serial]

    def _peek(self, link: ChildLink, now: float) -> None:
        frames = link.peek()
        self._answer(link, frames)
        link.looks = 0 if frames else link.looks + 1
        link.peek_at = now + next_peek_delay(link.looks)
        if link.bundles:
            self._split_stalled(link, now)
        if len(link.calls) < 2 and not link.begun:
            return
        link.is_stalled = link.is_at_long_step()
        if link.is_stalled or self._children.idle:
            # What waits there can run elsewhere, or soon can.
            self._calls.take_back(link)
            self._calls.roomy[link.serial] = link

    def _split_stalled(self, link: ChildLink, now: float) -> None:
        """Take back the items behind one that turns out to be long."""
        call = link.calls.get(link.board.stalled_call(now, STALLED_SECONDS))
        if call is not None and (at := link.board.forbid_rest(call)):
            self._calls.part(call, at)

    # --- the end

    def _stop_free_children(self) -> None:
        for link in self._children:
            if not link.calls and not link.is_told_to_stop and not link.is_killed:
                self._children.stop(link)

    def _break(self, error: BaseException) -> None:
        self._error = error if self._error is None else self._error

    # --- outside the lock, by the dispatcher

    def _resolve(self) -> None:
        self._children.pass_on_output()
        while self._calls.decided:
            call, decided = self._calls.decided.popleft()
            if call.options.retries is None or not self._run_again(call, decided):
                resolve(call, decided)
        while self._records:
            relog(*self._records.popleft())
        while self._children.notes:
            log.log(*self._children.notes.popleft())

    def _run_again(self, call: Call, decided: Decided) -> bool:
        options = following_options(call.options, decided)
        with self._lock:
            return bool(options and self._error is None and self._calls.run_again(call, options))
