"""Event loop: coroutine functions on the event loop of one child.

Imported with the first such call: asyncio costs 20 ms and some megabytes, which
no other child should pay. Until then, and whenever no coroutine runs, a child
waits in its own loop (main.py), which is several times faster. So what a
coroutine has left behind on the loop (a timer, an open server) rests meanwhile;
while a *task* is left, the loop goes on.

    main.py ──first coroutine call──▶ serve ──▶ run the loop ◀─┐
       ▲                                              │ packets │ or no call left
       └───── no call and no task is left ──── take the packets ┘

Packets are taken, and plain calls run, *between* two runs of the loop: a plain
function may itself call `asyncio.run`, which refuses inside of a running loop.
While it runs the coroutines of this child wait, as for any code that blocks.

What a kill can interrupt, and who is blamed: before a coroutine's arguments are
loaded, BEGUN with its number goes into the outbox, which survives (memory/control_block.py). So
the pool knows which coroutine calls had begun, and has the answers of those
that had ended. All others that had begun are lost: they shared the process.

Whoever sleeps has sent (memory/sending.py): answers are sent when the loop is about to sleep
(Selector), when the last coroutine has ended, or when the oldest
has waited FLUSH_NS. The control block says since when the loop has been at a step: how
the pool knows a loop that is blocked from one that waits.
"""

import asyncio
import contextlib
import selectors
import time
from collections.abc import Callable
from functools import partial
from threading import get_ident

from lightwork.pool.call.coroutine_call import CoroutineCall, was_cancelled, wind_down
from lightwork.pool.call.current import WAITS, Current
from lightwork.pool.child.exchange import Exchange, Progress, is_report_due
from lightwork.pool.memory.control_block import CANCEL, LOOP_NS
from lightwork.pool.memory.sending import FLUSH_NS
from lightwork.pool.wire.dump_exception import pack_exception
from lightwork.pool.wire.frames import INSTANT, Kind, Packet, pack_frame
from lightwork.pool.wire.pickling import dump_answer


class _Selector(selectors.DefaultSelector):
    """Knows when the loop is about to sleep, and since when it has not slept."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self._exchange = exchange
        self._flushed_ns = 0

    def note_start(self) -> None:
        """The loop starts again, and nothing waits to be sent."""
        self._flushed_ns = time.monotonic_ns()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        exchange, now = self._exchange, time.monotonic_ns()
        will_sleep = timeout is None or timeout > 0
        if will_sleep or now - self._flushed_ns > FLUSH_NS:
            exchange.tell_let_go()
            exchange.outbox.flush()
            self._flushed_ns = now
        if will_sleep:
            exchange.words[LOOP_NS] = 0
        ready = super().select(timeout)
        exchange.words[LOOP_NS] = time.monotonic_ns()
        return ready


class ChildLoop:
    """The coroutine calls of one child; used by its one thread."""

    def __init__(self, exchange: Exchange, name: str, run_plain: Callable[[Packet], None]) -> None:
        self._exchange = exchange
        self._name = name
        self._run_plain = run_plain
        self._thread = get_ident()
        self._selector = _Selector(exchange)
        self._loop = asyncio.SelectorEventLoop(self._selector)
        self._loop.add_reader(exchange.packets, self._loop.stop)
        self._calls: dict[int, CoroutineCall] = {}
        # Numbers of those whose future was cancelled with "ask".
        self._asked: set[int] = set()
        self._reported_ns: dict[int, int] = {}
        # The last report of each that came too soon after another.
        self._unsaid: dict[int, Progress] = {}
        self._goes_on = True

    def serve(self, packet: Packet) -> bool:
        """Run this call and what comes beside it; return whether the child goes on."""
        exchange = self._exchange
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
            exchange.words[LOOP_NS] = 0
        # The pool takes it that only answers of plain calls are ever kept back.
        exchange.outbox.flush()
        return self._goes_on

    def close(self) -> None:
        """End what tasks have been left; the child's last act."""
        wind_down(self._loop)

    def _take_packets(self) -> None:
        while self._goes_on and (packet := self._exchange.look()):
            self._obey(packet)
            if packet.kind == Kind.CALL:
                # The coroutines get a step between two plain calls.
                return

    def _obey(self, packet: Packet) -> None:
        if packet.kind == Kind.ASYNC_CALL:
            self._begin(packet)
        elif packet.kind == Kind.CALL:
            self._run_plain(packet)
        elif packet.kind == Kind.ASK:
            if packet.seq in self._calls:
                self._asked.add(packet.seq)
        elif packet.kind == Kind.CANCEL:
            if packet.seq in self._calls:
                self._calls[packet.seq].cancel()
        elif packet.kind == Kind.STOP:
            self._goes_on = False

    def _begin(self, packet: Packet) -> None:
        exchange, seq = self._exchange, packet.seq
        begun = INSTANT.pack(time.monotonic_ns())
        exchange.outbox.put(pack_frame(Kind.BEGUN, seq, begun))
        try:
            fn, args, kwargs = exchange.open_call(packet)
        except BaseException as error:
            self._answer(seq, None, error)
            return
        current = Current(
            self._name,
            partial(self._report, seq),
            lambda: seq in self._asked or exchange.words[CANCEL] == seq,
            attempt=packet.attempt,
        )
        call = self._calls[seq] = CoroutineCall(current, partial(self._end, seq))
        call.begin(self._loop, fn, args, kwargs, packet.timeout)

    def _end(self, seq: int, value: object, error: BaseException | None) -> None:
        del self._calls[seq]
        self._asked.discard(seq)
        self._reported_ns.pop(seq, None)
        if (last := self._unsaid.pop(seq, None)) is not None:
            self._exchange.put_last_report(seq, last)
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
                body, flags = self._exchange.pack_value(value)
            except BaseException as unfit:
                kind, body, flags = Kind.ERROR, pack_exception(unfit), 0
        # No duration: it would say how long it waited, and the plan is about how
        # long a call keeps a child busy.
        self._exchange.outbox.put(pack_frame(kind, seq, body, flags=flags))

    def _report(self, seq: int, done: float, total: float, note: str) -> None:
        if get_ident() != self._thread:
            # Only the loop's thread may write. When the loop is closed nobody listens.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._report, seq, done, total, note)
            return
        now = time.monotonic_ns()
        progress = done, total, note
        # For each call by itself, else the most talkative one would silence the others.
        if is_report_due(progress, now - self._reported_ns.get(seq, 0)):
            if seq in self._calls:
                self._reported_ns[seq] = now
            self._unsaid.pop(seq, None)
            self._exchange.outbox.put(pack_frame(Kind.PROGRESS, seq, dump_answer(progress)))
            if note == WAITS:
                # A wait that blocks the loop would keep it here.
                self._exchange.outbox.flush()
        elif seq in self._calls:
            self._unsaid[seq] = progress
