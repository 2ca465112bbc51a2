"""Loop calls: coroutine functions on the event loop of one child.

Imported with the first such call: asyncio costs 20 ms and some megabytes, which
no other child should pay. Until then, and whenever no coroutine runs, a child
waits in its own loop (child.py), which is several times faster. So what a
coroutine has left behind on the loop (a timer, an open server) rests meanwhile;
while a *task* is left, the loop goes on.

    child.py ──first coroutine call──▶ serve ──▶ run the loop ◀─┐
       ▲                                              │ packets │ or no call left
       └───── no call and no task is left ──── take the packets ┘

Packets are taken, and plain calls run, *between* two runs of the loop: a plain
function may itself call `asyncio.run`, which refuses inside of a running loop.
While it runs the coroutines of this child wait, as for any code that blocks.

What a kill can interrupt, and who is blamed: before a coroutine's arguments are
loaded, BEGUN with its number goes into the outbox, which survives (page.py). So
the pool knows which coroutine calls had begun, and has the answers of those
that had ended. All others that had begun are lost: they shared the process.

Whoever sleeps has sent (sending.py): answers are sent when the loop is about to sleep
(Selector), when the last coroutine has ended, or when the oldest
has waited FLUSH_NS. The page says since when the loop has been at a step: how
the pool knows a loop that is blocked from one that waits.
"""

import asyncio
import contextlib
import os
import selectors
import time
from collections.abc import Callable
from functools import partial
from threading import get_ident
from typing import Any, Final, Protocol

from lightwork.pool.arrived import RefShelf
from lightwork.pool.capsule import pack_exception
from lightwork.pool.current import Current
from lightwork.pool.frames import INSTANT, PACKET_SIZE, Kind, Packet, pack_frame, unpack_packet
from lightwork.pool.loop_call import LoopCall, was_cancelled, wind_down
from lightwork.pool.outbox import AnyOutbox
from lightwork.pool.page import CANCEL, LOOP_NS
from lightwork.pool.pickling import dump_answer, load, load_apart
from lightwork.pool.sending import FLUSH_NS

_PROGRESS_NS: Final = 50_000_000


class ServingChild(Protocol):
    """What the loop uses of its child (child.py)."""

    _name: str
    _packets: int
    _look: int
    _taken: int
    _words: memoryview
    _outbox: AnyOutbox
    _refs: RefShelf

    def _call(self, packet: Packet) -> None: ...
    def _learn(self, packet: Packet) -> None: ...
    def _open(self, packet: Packet) -> list[memoryview]: ...
    def _body(self, packet: Packet) -> bytes | memoryview: ...
    def _function(self, number: int) -> Callable[..., Any]: ...
    def _pack_value(self, value: object) -> tuple[bytes, int]: ...
    def _say_let_go(self) -> None: ...


class _Selector(selectors.DefaultSelector):
    """Knows when the loop is about to sleep, and since when it has not slept."""

    def __init__(self, child: ServingChild) -> None:
        super().__init__()
        self._child = child
        self._flushed_ns = 0

    def note_start(self) -> None:
        """The loop starts again, and nothing waits to be sent."""
        self._flushed_ns = time.monotonic_ns()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        child, now = self._child, time.monotonic_ns()
        will_sleep = timeout is None or timeout > 0
        if will_sleep or now - self._flushed_ns > FLUSH_NS:
            child._refs.forget_dropped()
            child._say_let_go()
            child._outbox.flush()
            self._flushed_ns = now
        if will_sleep:
            child._words[LOOP_NS] = 0
        ready = super().select(timeout)
        child._words[LOOP_NS] = time.monotonic_ns()
        return ready


class LoopCalls:
    """The coroutine calls of one child; used by its one thread."""

    def __init__(self, child: ServingChild) -> None:
        self._child = child
        self._thread = get_ident()
        self._selector = _Selector(child)
        self._loop = asyncio.SelectorEventLoop(self._selector)
        self._loop.add_reader(child._packets, self._loop.stop)
        self._calls: dict[int, LoopCall] = {}
        # Numbers of those whose future was cancelled with "ask".
        self._asked: set[int] = set()
        self._reported_ns: dict[int, int] = {}
        # The last report of each that came too soon after another.
        self._unsaid: dict[int, tuple[float, float, str]] = {}
        self._goes_on = True

    def serve(self, packet: Packet) -> bool:
        """Run this call and what comes beside it; return whether the child goes on."""
        child = self._child
        # Else what one short coroutine has to say would be sent in two pieces.
        self._selector.note_start()
        self._begin(packet)
        try:
            while self._goes_on and (self._calls or asyncio.all_tasks(self._loop)):
                # An exit: of a task that a call has made, and told to whoever awaits that.
                # Others: when the loop logs an exception whose own code raises.
                with contextlib.suppress(BaseException):
                    self._loop.run_forever()
                self._take_packets()
        finally:
            child._words[LOOP_NS] = 0
        # The pool takes it that only answers of plain calls are ever kept back.
        child._outbox.flush()
        return self._goes_on

    def close(self) -> None:
        """End what tasks have been left; the child's last act."""
        wind_down(self._loop)

    def _take_packets(self) -> None:
        while self._goes_on:
            try:
                raw = os.read(self._child._look, PACKET_SIZE)
            except BlockingIOError:
                return
            if not raw:
                self._goes_on = False
                return
            self._child._taken += 1
            packet = unpack_packet(raw)
            self._obey(packet)
            if packet.kind == Kind.CALL:
                # The coroutines get a step between two plain calls.
                return

    def _obey(self, packet: Packet) -> None:
        if packet.kind == Kind.ASYNC_CALL:
            self._begin(packet)
        elif packet.kind == Kind.CALL:
            self._child._call(packet)
        elif packet.kind == Kind.FUNCTION:
            self._child._learn(packet)
        elif packet.kind == Kind.ASK:
            if packet.seq in self._calls:
                self._asked.add(packet.seq)
        elif packet.kind == Kind.CANCEL:
            if packet.seq in self._calls:
                self._calls[packet.seq].cancel()
        elif packet.kind == Kind.STOP:
            self._goes_on = False

    def _begin(self, packet: Packet) -> None:
        child, seq = self._child, packet.seq
        begun = INSTANT.pack(time.monotonic_ns())
        child._outbox.put(pack_frame(Kind.BEGUN, seq, begun))
        try:
            opened = child._open(packet) if packet.is_bulk else None
            fn = child._function(packet.function)
            args, kwargs = load_apart(opened) if opened else load(child._body(packet))
            timeout, *args = args
        except BaseException as error:
            self._answer(seq, None, error)
            return
        current = Current(
            child._name,
            partial(self._report, seq),
            lambda: seq in self._asked or child._words[CANCEL] == seq,
            attempt=packet.attempt,
        )
        call = self._calls[seq] = LoopCall(current, partial(self._end, seq))
        call.begin(self._loop, fn, args, kwargs, timeout)

    def _end(self, seq: int, value: object, error: BaseException | None) -> None:
        del self._calls[seq]
        self._asked.discard(seq)
        self._reported_ns.pop(seq, None)
        if (last := self._unsaid.pop(seq, None)) is not None:
            self._child._outbox.put(pack_frame(Kind.PROGRESS, seq, dump_answer(last)))
        self._answer(seq, value, error)
        if not self._calls:
            self._loop.stop()

    def _answer(self, seq: int, value: object, error: BaseException | None) -> None:
        body, flags = b"", 0
        if was_cancelled(error):
            kind = Kind.CANCELLED
        elif error is not None:
            kind, body = Kind.ERROR, pack_exception(error)
        else:
            try:
                kind = Kind.VALUE
                body, flags = self._child._pack_value(value)
            except BaseException as unfit:
                kind, body, flags = Kind.ERROR, pack_exception(unfit), 0
        # No duration: it would say how long it waited, and the plan is about how
        # long a call keeps a child busy.
        self._child._outbox.put(pack_frame(kind, seq, body, flags=flags))

    def _report(self, seq: int, done: float, total: float, note: str) -> None:
        if get_ident() != self._thread:
            # Only the loop's thread may write. When the loop is closed nobody listens.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._report, seq, done, total, note)
            return
        now = time.monotonic_ns()
        is_finished = 0 < total <= done
        # For each call by itself, else the most talkative one would silence the others.
        if is_finished or now - self._reported_ns.get(seq, 0) > _PROGRESS_NS:
            if seq in self._calls:
                self._reported_ns[seq] = now
            self._unsaid.pop(seq, None)
            self._child._outbox.put(
                pack_frame(Kind.PROGRESS, seq, dump_answer((done, total, note)))
            )
        elif seq in self._calls:
            self._unsaid[seq] = (done, total, note)
