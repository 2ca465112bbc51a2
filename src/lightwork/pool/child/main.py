"""Main: the loop of one process of a pool.

Takes one packet at a time (exchange.py), runs its call, keeps the answer in the outbox and
sends answers in batches. It starts no thread, shares no lock with another process
and polls nothing; that it can be killed at any instruction without hurting anybody
is what the rest of this package relies on.

What a kill can interrupt, and why nothing is lost:

    between reading a packet and writing `started`   the pool finds the call
        neither in the pipe nor started, so it was never begun: it runs elsewhere
    from `started` to the answer in the outbox       this call is lost with the
        child, and only this one
    after that                                       the answer is in shared memory
"""

import atexit
import contextlib
import faulthandler
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from lightwork.pool.call.current import Current, alone, run_with
from lightwork.pool.call.hooks import Hooks
from lightwork.pool.call.process_state import changed, undo, watch_changes
from lightwork.pool.child.exchange import Exchange, Progress, is_report_due
from lightwork.pool.child.multiprocessing_identity import pose
from lightwork.pool.memory.control_block import CANCEL, STARTED, STARTED_NS, TRACE_START
from lightwork.pool.wire.dump_exception import pack_exception
from lightwork.pool.wire.frames import Kind, Packet, Setup, pack_frame
from lightwork.pool.wire.pickling import dump_answer, load

_NO_PROGRESS: Final = (0.0, 0.0, "")
_CALL: Final = int(Kind.CALL)
_ASYNC_CALL: Final = int(Kind.ASYNC_CALL)
_VALUE: Final = int(Kind.VALUE)


class Child:
    """State of this process: one instance, one thread."""

    def __init__(self, ends: Sequence[int]) -> None:
        self._exchange = Exchange(ends)
        self._words = self._exchange.words
        self._name = ""
        self._hooks = Hooks()
        self._reported_ns = 0
        # The last report that came too soon after another, and the number of its call.
        self._unsaid: tuple[int, Progress] = (0, _NO_PROGRESS)
        # Runs coroutine functions; made for the first one.
        self._loop_calls: Any = None

    def run(self, setup_size: int) -> int:
        """Serve until told to stop; return the exit status."""
        exchange = self._exchange
        if not self._set_up(exchange.read_setup(setup_size)):
            return 1
        exchange.outbox.put(pack_frame(Kind.READY, 0, b""))
        while self._serve_one():
            pass
        # First: nobody should wait for an answer until the finalizer is done.
        exchange.outbox.flush()
        self._hooks.end()
        # As at the end of any program; the interpreter itself is left by os._exit.
        atexit._run_exitfuncs()
        if self._loop_calls is not None:
            self._loop_calls.close()
        exchange.outbox.flush()
        return 0

    def _set_up(self, setup: Setup) -> bool:
        self._name = setup.name
        _adopt(setup.env)
        _set_title(setup.title)
        sys.path[:] = setup.path
        sys.argv[:] = setup.argv
        # The folder may be gone: stay where the fork server is, as a shell would.
        with contextlib.suppress(OSError):
            os.chdir(setup.folder)
        watch_changes()
        pose(setup.name, setup.program)
        try:
            if setup.authkey:
                _set_authkey(setup.authkey)
            if setup.log_levels:
                self._exchange.send_logs(setup.log_levels)
            if setup.output_mark:
                self._exchange.redirect_output(setup.output_mark)
            if setup.hooks:
                self._hooks = load(setup.hooks)
            self._hooks.begin()
        except BaseException as error:
            # Whatever it was, the pool must learn why it cannot start children.
            self._exchange.outbox.put(pack_frame(Kind.INIT_FAILED, 0, pack_exception(error)))
            self._exchange.outbox.flush()
            return False
        return True

    def _serve_one(self) -> bool:
        packet = self._exchange.next_packet()
        if packet.kind == _CALL:
            self._call(packet)
            return True
        if packet.kind == _ASYNC_CALL:
            return self._serve_loop(packet)
        return packet.kind != Kind.STOP

    def _serve_loop(self, packet: Packet) -> bool:
        if self._loop_calls is None:
            # Imported only for coroutine functions: asyncio costs 20 ms.
            from lightwork.pool.child.event_loop import ChildLoop  # noqa: PLC0415 - see above

            self._loop_calls = ChildLoop(self._exchange, self._name, self._call)
        goes_on: bool = self._loop_calls.serve(packet)
        return goes_on

    def _call(self, packet: Packet) -> None:
        seq = packet.seq
        started = time.monotonic_ns()
        # The time first: whoever sees the number must find its time.
        self._words[STARTED_NS] = started
        self._words[STARTED] = seq
        try:
            kind = _VALUE
            body, flags, done = self._run(packet)
        except BaseException as error:
            # SystemExit and KeyboardInterrupt too: they end the call, not the child.
            kind, body, flags, done = Kind.ERROR, pack_exception(error), 0, 0
        micros = (time.monotonic_ns() - started) // 1000
        if self._unsaid[0] == seq:
            (_, progress), self._unsaid = self._unsaid, (0, _NO_PROGRESS)
            self._exchange.put_last_report(seq, progress)
        self._exchange.outbox.put(pack_frame(kind, seq, body, micros, flags=flags, done=done))
        self._words[STARTED] = 0

    def _run(self, packet: Packet) -> tuple[bytes, int, int]:
        """Run the call; return its answer, the flags of its frame, and how many items it did."""
        exchange, seq = self._exchange, packet.seq
        function, args, kwargs = exchange.open_call(packet)
        current = Current(
            self._name,
            lambda done, total, note: self._report(seq, (done, total, note)),
            lambda: self._words[CANCEL] == seq,
            attempt=packet.attempt,
        )
        if packet.end:
            kwargs = {"first": packet.first, "end": packet.end}
        # What was changed so far, by an import above all, is meant to stay.
        changed.clear()
        exchange.writing.release()
        try:
            value = run_with(current, function, args, kwargs)
        finally:
            exchange.writing.acquire()
            if changed:
                undo()
        return *exchange.pack_value(value), value.done() if packet.end else 0

    def _report(self, seq: int, progress: Progress) -> None:
        exchange, now = self._exchange, time.monotonic_ns()
        if not is_report_due(progress, now - self._reported_ns):
            self._unsaid = (seq, progress)
            return
        frame = pack_frame(Kind.PROGRESS, seq, dump_answer(progress))
        # Held by this thread: a finalizer interrupts the loop, or another report.
        if self._words[STARTED] != seq or exchange.writing.is_owned():
            return
        with exchange.writing:
            # Else the call has ended, and a thread that it left says more.
            if self._words[STARTED] == seq:
                self._reported_ns = now
                self._unsaid = (0, _NO_PROGRESS)
                exchange.outbox.put(frame)
                exchange.outbox.flush()


def _adopt(env: dict[str, str]) -> None:
    """Have exactly these variables, as a program started now would."""
    zone = os.environ.get("TZ")
    for name in os.environ.keys() - env.keys():
        del os.environ[name]
    for name, value in env.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    if os.environ.get("TZ") != zone:
        time.tzset()


def _set_title(title: bytes) -> None:
    # Without /proc it merely keeps the name of the fork server.
    with contextlib.suppress(OSError):
        fd = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, title)
        finally:
            os.close(fd)


def _set_authkey(key: bytes) -> None:
    # Imported only for a program that has managers of multiprocessing.
    from multiprocessing.process import current_process  # noqa: PLC0415 - see above

    current_process().authkey = key


def child_main(ends: Sequence[int], setup_size: int) -> int:
    """Run a child on its ENDS descriptors; return the exit status."""
    # A pool that is gone must end us with EPIPE as an error, not silently; all
    # else as a new program would have it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # The last words of a crash go where the pool finds them.
    _, _, block, *_ = ends
    os.lseek(block, TRACE_START, os.SEEK_SET)
    faulthandler.enable(block)
    alone.is_child = True
    try:
        return Child(ends).run(setup_size)
    except BrokenPipeError:
        return 0
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
