"""Child: the loop of one process of a pool.

Reads one packet at a time, runs its call, keeps the answer in the outbox and
sends answers in batches. It starts no thread, shares no lock with another process
and polls nothing; that it can be killed at any instruction without hurting anybody
is what the rest of this package relies on.

What a kill can interrupt, and why nothing is lost:

    between reading a packet and writing `started`   the pool finds the call
        neither in the pipe nor started, so it was never begun: it runs elsewhere
    from `started` to the answer in the outbox       this call is lost with the
        child, and only this one
    after that                                       the answer is in shared memory

Threads that a call has started may report progress. So `_writing` is held by
whoever writes to the outbox, which is the loop, except while a call's own code
runs. A process that a call has forked must write nothing at all: the memory is
its parent's too. If it comes back from the call, it ends (Forked).

Whoever sleeps has sent (sending.py): a read that may block comes right after a flush.
Answers are kept only from one call to the next, until nothing more is waiting to be
run, the oldest has waited FLUSH_NS, or the outbox holds KEPT_MAX. An answer
behind which a long call began is read by the pool from shared memory.
"""

import atexit
import contextlib
import faulthandler
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from threading import RLock
from typing import Any, Final, NamedTuple, Never

from lightwork.pool.arrived import RefShelf, shelves
from lightwork.pool.bulk import BULK_MIN, Bulk, open_bulk, split
from lightwork.pool.capsule import pack_exception
from lightwork.pool.current import Current, run_with
from lightwork.pool.footprints import changed, undo, watch_changes
from lightwork.pool.frames import (
    IS_BULK,
    PACKET_SIZE,
    Kind,
    Packet,
    pack_frame,
    unpack_packet,
)
from lightwork.pool.hooks import Hooks
from lightwork.pool.inbox import RING_SIZE, InboxReader
from lightwork.pool.outbox import AnyOutbox, Outbox
from lightwork.pool.page import (
    CANCEL,
    PACKETS,
    STARTED,
    STARTED_NS,
    TRACE_START,
    Page,
    own_page,
)
from lightwork.pool.pickling import dump_answer, dump_result, load, load_apart
from lightwork.pool.posing import pose
from lightwork.pool.sending import may_keep
from lightwork.pool.shelf import Shelf

_PROGRESS_NS: Final = 50_000_000
_NO_PROGRESS: Final = (0.0, 0.0, "")
# How many descriptors a child is made with.
ENDS: Final = 6


class Setup(NamedTuple):
    """What a child learns before its first call; travels pickled through the inbox.

    No dataclass: importing those costs a fifth of the fork server's start.
    """

    name: str
    # What `ps` shows.
    title: bytes
    env: dict[str, str]
    path: list[str]
    argv: list[str]
    # Its pid; the child's own parent is the fork server.
    program: int
    folder: str
    # Pickled, or empty.
    hooks: bytes
    # Levels from which records go to the pool, by logger; empty: none do.
    log_levels: dict[str, int]
    # Of Output: comes before a function's name in what the child writes; empty: not redirected.
    output_mark: bytes
    # The program's key of multiprocessing, or empty: proxies of its managers need it.
    authkey: bytes


class Forked:
    """What a process that a call has forked has in the place of what its parent owns."""

    def acquire(self) -> Never:
        """The call's code is over: so is this process."""
        os._exit(0)

    def put(self, _: object) -> Never:
        """Say nothing in the parent's name."""
        os._exit(0)

    flush = release = acquire

    def _is_owned(self) -> bool:
        return True


class Child:
    """State of this process: one instance, one thread."""

    def __init__(self, ends: Sequence[int]) -> None:
        packets, results, page, inbox, shelf, self._arena = ends
        self._packets = packets
        # Another open file for the same pipe, which never blocks.
        self._look = os.open(f"/proc/self/fd/{packets}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._page = Page(page)
        own_page[:] = [self._page]
        self._words = self._page.words
        self._outbox: AnyOutbox = Outbox(self._page, results)
        self._inbox = InboxReader(inbox)
        self._shelf = Shelf(shelf, self._words)
        # Calls and references whose memory is, perhaps, not looked at any more: appended by finalizers.
        self._let_go: deque[int] = deque()
        self._refs = RefShelf(self._arena, self._let_go.append)
        shelves[:] = [self._refs]
        self._blobs: dict[int, bytes] = {}
        self._functions: dict[int, Callable[..., Any]] = {}
        self._name = ""
        self._hooks = Hooks()
        # What becomes of a function that was loaded.
        self._announced: Callable[[Callable[..., Any]], Callable[..., Any]] = _as_it_is
        self._taken = 0
        self._flushed_ns = 0
        self._reported_ns = 0
        # The last report that came too soon after another, and the number of its call.
        self._unsaid: tuple[int, tuple[float, float, str]] = (0, _NO_PROGRESS)
        self._writing = RLock()
        self._writing.acquire()
        os.register_at_fork(after_in_child=self._be_forked)
        # Runs coroutine functions; made for the first one.
        self._loop_calls: Any = None

    def run(self, setup_size: int) -> int:
        """Serve until told to stop; return the exit status."""
        if not self._set_up(load(self._inbox.read(RING_SIZE, setup_size))):
            return 1
        self._outbox.put(pack_frame(Kind.READY, 0, b""))
        while self._serve_one():
            pass
        # First: nobody should wait for an answer until the finalizer is done.
        self._outbox.flush()
        self._hooks.end()
        # As at the end of any program; the interpreter itself is left by os._exit.
        atexit._run_exitfuncs()
        if self._loop_calls is not None:
            self._loop_calls.close()
        self._outbox.flush()
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
                self._outbox = _send_logs(self._outbox, setup.log_levels)
            if setup.output_mark:
                self._announced = _redirect_output(setup.output_mark)
            if setup.hooks:
                self._hooks = load(setup.hooks)
            self._hooks.begin()
        except BaseException as error:
            # Whatever it was, the pool must learn why it cannot start children.
            self._outbox.put(pack_frame(Kind.INIT_FAILED, 0, pack_exception(error)))
            self._outbox.flush()
            return False
        return True

    def _serve_one(self) -> bool:
        self._refs.forget_dropped()
        if self._let_go:
            self._say_let_go()
        raw = self._next_packet()
        if not raw:
            return False
        self._taken += 1
        packet = unpack_packet(raw)
        if packet.kind == Kind.CALL:
            self._call(packet)
        elif packet.kind == Kind.FUNCTION:
            self._learn(packet)
        elif packet.kind == Kind.ASYNC_CALL:
            return self._serve_loop(packet)
        return packet.kind != Kind.STOP

    def _next_packet(self) -> bytes:
        """Return the next packet, or nothing at the end; nothing is unsent while this sleeps."""
        if may_keep(self._words[PACKETS], self._taken, time.monotonic_ns() - self._flushed_ns):
            try:
                return os.read(self._look, PACKET_SIZE)
            except BlockingIOError:
                pass  # The pool has taken it back.
        self._outbox.flush()
        self._flushed_ns = time.monotonic_ns()
        return os.read(self._packets, PACKET_SIZE)

    def _serve_loop(self, packet: Packet) -> bool:
        if self._loop_calls is None:
            # Imported only for coroutine functions: asyncio costs 20 ms.
            from lightwork.pool.loop_calls import LoopCalls  # noqa: PLC0415 - see above

            self._loop_calls = LoopCalls(self)
        goes_on: bool = self._loop_calls.serve(packet)
        return goes_on

    def _say_let_go(self) -> None:
        while self._let_go:
            number = self._let_go.popleft()
            if not self._refs.is_looked_at(number):
                self._outbox.put(pack_frame(Kind.LET_GO, number, b""))

    def _body(self, packet: Packet) -> bytes | memoryview:
        if packet.offset < 0:
            return packet.body
        return self._inbox.read(packet.offset, packet.size)

    def _learn(self, packet: Packet) -> None:
        # `seq` names the function that this one replaces: memory stays bounded
        # although a program may make lambdas for ever.
        self._blobs.pop(packet.seq, None)
        self._functions.pop(packet.seq, None)
        self._blobs[packet.function] = bytes(self._body(packet))

    def _function(self, number: int) -> Callable[..., Any]:
        function = self._functions.get(number)
        if function is None:
            # Loaded at its first call, so that what goes wrong is that call's error.
            function = self._announced(load(self._blobs[number]))
            self._functions[number] = function
        return function

    def _call(self, packet: Packet) -> None:
        seq = packet.seq
        started = time.monotonic_ns()
        # The time first: whoever sees the number must find its time.
        self._words[STARTED_NS] = started
        self._words[STARTED] = seq
        try:
            kind = Kind.VALUE
            body, flags, done = self._run(packet)
        except BaseException as error:
            # SystemExit and KeyboardInterrupt too: they end the call, not the child.
            kind, body, flags, done = Kind.ERROR, pack_exception(error), 0, 0
        micros = (time.monotonic_ns() - started) // 1000
        if self._unsaid[0] == seq:
            self._say_last(seq)
        self._outbox.put(pack_frame(kind, seq, body, micros, flags=flags, done=done))
        self._words[STARTED] = 0

    def _run(self, packet: Packet) -> tuple[bytes, int, int]:
        """Run the call; return its answer, the flags of its frame, and how many items it did."""
        seq = packet.seq
        # First: whatever goes wrong, the pool must learn that it was let go of.
        opened = self._open(packet) if packet.is_bulk else None
        function = self._function(packet.function)
        args, kwargs = load_apart(opened) if opened else load(self._body(packet))
        del opened
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
        self._writing.release()
        try:
            value = run_with(current, function, args, kwargs)
        finally:
            self._writing.acquire()
            if changed:
                undo()
        return *self._pack_value(value), value.done() if packet.end else 0

    def _open(self, packet: Packet) -> list[memoryview]:
        bulk = Bulk.unpack(self._body(packet))
        memory = open_bulk(self._arena, bulk, partial(self._let_go.append, packet.seq))
        return split(memory, bulk.sizes)

    def _pack_value(self, value: object) -> tuple[bytes, int]:
        data, apart = dump_result(value)
        if not apart and len(data) < BULK_MIN:
            return data, 0
        place = self._shelf.put([data, *apart])
        if place is not None:
            return place, IS_BULK
        return dump_answer(value) if apart else data, 0

    def _report(self, seq: int, progress: tuple[float, float, str]) -> None:
        now = time.monotonic_ns()
        done, total, _ = progress
        finished = 0 < total <= done
        # People look ten times a second at most; the last report always counts.
        if not finished and now - self._reported_ns <= _PROGRESS_NS:
            self._unsaid = (seq, progress)
            return
        frame = pack_frame(Kind.PROGRESS, seq, dump_answer(progress))
        # Held by this thread: a finalizer interrupts the loop, or another report.
        if self._words[STARTED] != seq or self._writing._is_owned():  # type: ignore[attr-defined]
            return
        with self._writing:
            # Else the call has ended, and a thread that it left says more.
            if self._words[STARTED] == seq:
                self._reported_ns = now
                self._unsaid = (0, _NO_PROGRESS)
                self._outbox.put(frame)
                self._outbox.flush()

    def _say_last(self, seq: int) -> None:
        """Send the last report of a call that ends, which came too soon after another."""
        (_, progress), self._unsaid = self._unsaid, (0, _NO_PROGRESS)
        # What cannot be pickled is no reason to fail a call that has its outcome.
        with contextlib.suppress(Exception):
            self._outbox.put(pack_frame(Kind.PROGRESS, seq, dump_answer(progress)))

    def _be_forked(self) -> None:
        self._outbox = self._shelf = self._writing = Forked()  # type: ignore[assignment]


def _send_logs(outbox: AnyOutbox, levels: dict[str, int]) -> AnyOutbox:
    # Imported only for a pool that wants it: logging costs 6 ms.
    from lightwork.pool.logs import send_logs  # noqa: PLC0415 - see above

    return send_logs(outbox, levels)


def _as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def _redirect_output(mark: bytes) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    # Imported only for a pool that wants it, like the above.
    from lightwork.pool.output_mark import redirect_output  # noqa: PLC0415 - see above

    return redirect_output(mark).announced


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
    _, _, page, *_ = ends
    os.lseek(page, TRACE_START, os.SEEK_SET)
    faulthandler.enable(page)
    try:
        return Child(ends).run(setup_size)
    except BrokenPipeError:
        return 0
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
