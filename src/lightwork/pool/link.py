"""Link: the pool's end of one child.

Owns the descriptors and shared memory, and knows which calls the child was
given and has not answered. Never decides anything (plan.py) and never resolves
a future (process_pool.py).

Threads: `stage`, `flush`, `recall` and the table of calls are used under the
pool's lock; `read` and `peek` only by the pool's dispatcher.
"""

import contextlib
import os
import select
import time
from collections.abc import Callable
from typing import Any, Final

from lightwork.pool.arena import Extent
from lightwork.pool.board import Board
from lightwork.pool.call import CallOptions
from lightwork.pool.channel import PoolEnds
from lightwork.pool.frames import (
    ATTEMPT_MAX,
    INLINE_MAX,
    IS_BULK,
    PACKET_SIZE,
    Frame,
    FrameReader,
    Kind,
    pack_inbox_packet,
    pack_packet,
    read_packets,
)
from lightwork.pool.function import Function
from lightwork.pool.future import CancelMode, Future
from lightwork.pool.inbox import RING_SIZE, Inbox
from lightwork.pool.page import CANCEL, LOOP_NS, PACKETS, STARTED, STARTED_NS, Page
from lightwork.pool.plan import STALLED_SECONDS
from lightwork.pool.sending import must_be_peeked
from lightwork.pool.shelf import Delivery, ShelfReader
from lightwork.pool.stored import StoredRef

_READ_SIZE: Final = 1 << 16
# So that one child's gigabyte does not keep the others waiting.
_READS_MAX: Final = 64
# Functions that a child remembers; beyond, the oldest makes room.
_FUNCTIONS_MAX: Final = 512
_CALL: Final = int(Kind.CALL)
_ASYNC_CALL: Final = int(Kind.ASYNC_CALL)


class Call:
    """One call on its way through a pool."""

    __slots__ = (
        "_withdraw",
        "body",
        "body_start",
        "end",
        "extent",
        "first",
        "function",
        "future",
        "inbox_offset",
        "is_answered",
        "link",
        "options",
        "refs",
        "ring_end",
        "ring_start",
        "seconds",
        "seq",
        "stumbles",
    )

    # Set when it is sent: what the plan expected ...
    seconds: float
    # ... and its stretch of the inbox's ring: a function sent along, then the body.
    ring_start: int
    body_start: int
    ring_end: int
    inbox_offset: int

    def __init__(
        self,
        seq: int,
        function: Function,
        body: bytes,
        options: CallOptions,
        withdraw: Callable[["Call", CancelMode], bool],
    ) -> None:
        self.seq = seq
        self.function = function
        # Kept until the answer is there: a call that was never begun is sent again.
        self.body = body
        # Keeps large arguments in the arena; the body then says where they are.
        self.extent: Extent | None = None
        self.refs: tuple[StoredRef[Any], ...] = ()
        self.options = options
        self.future: Future[Any] = Future()
        self.future._call = self
        self._withdraw = withdraw
        # The child that was given it; None while it waits and when it is over.
        self.link: ChildLink | None = None
        # Its end is decided: nothing else may decide it.
        self.is_answered = False
        # Of a bundle, the items from here to there are this call's; else both are 0.
        self.first = 0
        self.end = options.items
        # How many children died with it before they began the first item.
        self.stumbles = 0

    @property
    def name(self) -> str:
        """What it runs, for people."""
        return self.function.name

    def withdraw(self, mode: CancelMode) -> bool:
        """Take the call back, if that is still possible; see Future.cancel."""
        return self._withdraw(self, mode)

    def is_running(self) -> bool:
        """Whether a child was given the call."""
        return self.link is not None

    def has_begun(self) -> bool:
        """Whether its child has left word that it has begun."""
        link = self.link
        return link is not None and link.has_begun(self.seq)

    def part(self, at: int, seq: int) -> "Call":
        """Return a new call for the items of this bundle from `at` on, which this one gives up."""
        rest = Call(seq, self.function, self.body, self.options, self._withdraw)
        rest.extent, rest.refs = self.extent, self.refs
        rest.first, rest.end = at, self.end
        self.end = at
        return rest


class ChildLink:
    """One child as its pool sees it."""

    def __init__(self, serial: int, name: str, ends: PoolEnds) -> None:
        self.serial = serial
        self.name = name
        self.ends = ends
        self.page = Page(ends.page)
        self.board = Board(self.page)
        self.inbox = Inbox(ends.inbox)
        self.shelf = ShelfReader(ends.shelf, self.page.words)
        self.pid = 0
        self.is_ready = False
        # Gets no more calls: it ends when it has answered those that it has.
        self.is_leaving = False
        self.is_told_to_stop = False
        self.is_killed = False
        # Runs a call that turned out to be long: gets nothing until it answers.
        self.is_stalled = False
        self.is_at_end = False
        self.calls: dict[int, Call] = {}
        # Those of `calls` that run on the child's event loop, and when they have
        # begun there, as far as it is known, in monotonic nanoseconds.
        self.coroutines: dict[int, Call] = {}
        self.begun: dict[int, int] = {}
        self.held_seconds = 0.0
        self.held_bytes = 0
        self.sent_total = 0
        # How many of the calls are bundles.
        self.bundles = 0
        self.peek_at = 0.0
        self.idle_since = time.monotonic()
        self.looks = 0
        # Packets that `flush` will write, each with its call or its function's number.
        self._staged: list[tuple[bytes, Call | int]] = []
        # By number: the extent that holds the function, or an offset that is none.
        self._functions: dict[int, int] = {}
        # Extents of functions that the child has been told to forget.
        self._loose: list[int] = []
        # By number of call or reference: large values that the child may still look at.
        self._looked_at: dict[int, Extent] = {}
        self._frames = FrameReader()
        # Position in the stream of results, and how much of it was read from the
        # page before it came through the pipe.
        self._received = 0
        self._ahead = 0
        self._packets = 0

    def set_up(self, setup: bytes) -> None:
        """Put what the child reads first, from RING_SIZE on."""
        offset = self.inbox.put_extent(setup)
        assert offset == RING_SIZE

    def note_ready(self) -> None:
        """The child has read its setup and runs calls."""
        self.is_ready = True
        self.inbox.free(RING_SIZE)

    def stage(self, call: Call) -> None:
        """Prepare a call for the child; the next `flush` sends it.

        Raises:
            OSError: There is no memory for the arguments.
        """
        function = call.function
        call.ring_start = self.inbox.head
        if function.number not in self._functions:
            self._stage_function(function)
        call.body_start = self.inbox.head
        flags = IS_BULK if call.extent is not None else 0
        if call.end:
            packet = self._pack_bundle(call, flags)
        else:
            attempt = call.options.attempt
            packet, call.inbox_offset = self._pack(
                _ASYNC_CALL if function.is_async else _CALL,
                function.number,
                call.seq,
                call.body,
                flags=flags,
                attempt=attempt if attempt < ATTEMPT_MAX else ATTEMPT_MAX,  # noqa: FURB136 - min() is slow
            )
        call.ring_end = self.inbox.head
        self._staged.append((packet, call))
        call.link = self
        # A coroutine has no duration here: its child is free while it waits.
        call.seconds = seconds = max(function.seconds, 0.0)
        self.calls[call.seq] = call
        if function.is_async:
            self.coroutines[call.seq] = call
        self.held_seconds += seconds
        self.held_bytes += len(call.body)
        self.sent_total += 1

    def _pack_bundle(self, call: Call, flags: int) -> bytes:
        self.bundles += 1
        call.inbox_offset = self.inbox.put(call.body)
        return pack_inbox_packet(
            _CALL,
            call.function.number,
            call.seq,
            offset=call.inbox_offset,
            size=len(call.body),
            flags=flags,
            first=call.first,
            end=call.end,
        )

    def flush(self) -> list[Call]:
        """Send what was staged; return the calls for which its pipe had no room."""
        staged, self._staged = self._staged, []
        if not staged:
            return []
        # Counted before it is there: a child that counts too few would wait with
        # its answers unsent, one that counts too many merely sends them sooner.
        self._count_packets(len(staged))
        try:
            sent = os.write(self.ends.packets, b"".join([packet for packet, _ in staged]))
        except BlockingIOError:
            sent = 0
        return self._unsend([owner for _, owner in staged[sent // PACKET_SIZE :]])

    def send_stop(self) -> bool:
        """Tell the child to end when it has read this; False when its pipe is full."""
        self._count_packets(1)
        with contextlib.suppress(BlockingIOError):
            return bool(os.write(self.ends.packets, pack_packet(Kind.STOP, 0, 0, b"")))
        return False

    def forget(self, seq: int) -> Call | None:
        """Take a call off the table: answered or lost."""
        call = self.calls.get(seq)
        if call is not None:
            self._drop(call)
            if call.extent is not None:
                self._looked_at[seq] = call.extent
            for ref in call.refs:
                self._looked_at[ref.number] = ref.extent
            self.inbox.advance(call.ring_end)
            if not self.calls:
                self._tidy_up()
        return call

    def note_let_go(self, seq: int) -> None:
        """The child does not look at the arguments of this call, or at this reference, any more."""
        self._looked_at.pop(seq, None)

    def open_result(self, frame: Frame) -> Delivery | BaseException:
        """Return the answer that lies on the shelf, or why it cannot be had."""
        try:
            return self.shelf.open(frame.body)
        except (OSError, MemoryError) as error:
            # There is no memory for this result: its call's misfortune, not the pool's.
            return error

    def recall(self) -> list[Call]:
        """Take back every call that the child has not taken, oldest first."""
        if self.is_told_to_stop:
            return []  # It holds no call, and the word to stop must stay in the pipe.
        owners: list[Call | int] = []
        words: list[bytes] = []
        for kind, function, seq in read_packets(self._read_back()):
            if kind == Kind.FUNCTION:
                owners.append(function)
            elif kind in (Kind.CALL, Kind.ASYNC_CALL) and seq in self.calls:
                owners.append(self.calls[seq])
            elif kind in (Kind.ASK, Kind.CANCEL):
                words.append(pack_packet(kind, 0, seq, b""))
        taken = self._unsend(owners)
        if words:
            # They are about calls that the child has; there is room, and they are counted.
            os.write(self.ends.packets, b"".join(words))
        return taken

    def started(self) -> tuple[int, float]:
        """Return the number of the call that runs (0: none) and for how many seconds."""
        seq = self.page.words[STARTED]
        return seq, (time.monotonic_ns() - self.page.words[STARTED_NS]) * 1e-9

    def has_begun(self, seq: int) -> bool:
        """Whether a call that the child was given has begun; may be asked without the lock."""
        # Closed meanwhile: what became of its calls is told elsewhere.
        with contextlib.suppress(ValueError):
            return seq in self.begun or self.page.words[STARTED] == seq
        return False

    def ask_to_stop(self, seq: int) -> None:
        """Let the call see that it is cancelled."""
        self.page.words[CANCEL] = seq
        if seq in self.coroutines:
            self.send_word(Kind.ASK, seq)

    def send_word(self, kind: Kind, seq: int) -> None:
        """Send a packet about a coroutine call, unless the pipe is full."""
        # Then nothing is lost: CANCEL is said again, and the page holds the last that was asked.
        self._count_packets(1)
        try:
            os.write(self.ends.packets, pack_packet(kind, 0, seq, b""))
        except BlockingIOError:
            self._count_packets(-1)

    def is_at_long_step(self) -> bool:
        """Whether what waits in the child's pipe had better run elsewhere."""
        seq, seconds = self.started()
        if self.begun and self.blocked_seconds() > STALLED_SECONDS:
            return True
        return seq in self.calls and seconds > STALLED_SECONDS

    def blocked_seconds(self) -> float:
        """Return since when the child's event loop has been at one step; 0: it waits, or has none."""
        since = self.page.words[LOOP_NS]
        return (time.monotonic_ns() - since) * 1e-9 if since else 0.0

    def read(self) -> list[Frame]:
        """Return the frames that the pipe holds now, or some of very many."""
        frames: list[Frame] = []
        for _ in range(_READS_MAX):
            data = self._read_pipe()
            is_last = len(data) < _READ_SIZE
            if self._ahead:
                # The first bytes have been read from the page already.
                known = min(self._ahead, len(data))
                self._ahead -= known
                data = data[known:]
            self._received += len(data)
            frames += self._frames.feed(data)
            if is_last:
                break
        return frames

    def must_be_peeked(self) -> bool:
        """Whether an answer may wait in shared memory that no pipe will announce soon."""
        if self.coroutines:
            # Those that have begun keep nothing waiting: their loop sends before it sleeps.
            return self.is_stalled or len(self.calls) > len(self.begun)
        return must_be_peeked(len(self.calls), self.bundles)

    def peek(self) -> list[Frame]:
        """Return answers that a living child keeps behind a call it is running."""
        return self._take_ahead(self.page.peek_stream(self._received))

    def last_words(self) -> list[Frame]:
        """Return all that a dead child had finished and the pool has not seen."""
        frames: list[Frame] = []
        seen = -1
        while seen != self._received + self._ahead:
            seen = self._received + self._ahead
            frames += self.read()
        return frames + self._take_ahead(self.page.read_stream(self._received))

    def wait_for_end(self) -> None:
        """Wait until the child, whose death is certain, has closed its pipe."""
        # Bounded, since a process that the child forked may hold it open.
        poll = select.poll()
        poll.register(self.ends.results, 0)
        poll.poll(1000)

    def close(self) -> None:
        """Give back descriptors and memory."""
        self.shelf.close()
        self.page.close()
        self.inbox.close()
        self._looked_at.clear()
        for fd in (self.ends.packets, self.ends.results, self.ends.shelf):
            os.close(fd)

    def _read_pipe(self) -> bytes:
        try:
            data = os.read(self.ends.results, _READ_SIZE)
        except BlockingIOError:
            return b""
        self.is_at_end = not data
        return data

    def _take_ahead(self, data: bytes) -> list[Frame]:
        self._received += len(data)
        self._ahead += len(data)
        return self._frames.feed(data)

    def _stage_function(self, function: Function) -> None:
        replaced = 0
        if len(self._functions) >= _FUNCTIONS_MAX:
            replaced = next(iter(self._functions))
        packet, offset = self._pack(Kind.FUNCTION, function.number, replaced, function.blob)
        if replaced:
            self._loose.append(self._functions.pop(replaced))
        self._functions[function.number] = offset
        self._staged.append((packet, function.number))

    def _pack(
        self,
        kind: int,
        function: int,
        seq: int,
        body: bytes,
        *,
        flags: int = 0,
        attempt: int = 0,
    ) -> tuple[bytes, int]:
        size = len(body)
        if size <= INLINE_MAX:
            return pack_packet(kind, function, seq, body, flags=flags, attempt=attempt), -1
        offset = self.inbox.put(body)
        packet = pack_inbox_packet(
            kind, function, seq, offset=offset, size=size, flags=flags, attempt=attempt
        )
        return packet, offset

    def _unsend(self, owners: list[Call | int]) -> list[Call]:
        """Undo the sending of these packets, the last ones of all; return their calls."""
        if not owners:
            return []
        self._count_packets(-len(owners))
        calls: list[Call] = []
        for owner in owners:
            if isinstance(owner, Call):
                calls.append(owner)
                self._drop(owner)
                self.sent_total -= 1
            else:
                self.inbox.free(self._functions.pop(owner))
        if calls:
            # Its function may have been read although the call was not.
            oldest = calls[0]
            with_function = owners[0] is not oldest
            self.inbox.rewind(oldest.ring_start if with_function else oldest.body_start)
        return calls

    def _drop(self, call: Call) -> None:
        del self.calls[call.seq]
        if self.coroutines:
            self.coroutines.pop(call.seq, None)
            self.begun.pop(call.seq, None)
        call.link = None
        if call.end:
            self.bundles -= 1
        self.held_bytes -= len(call.body)
        # Sums of floats drift; an empty table is exactly zero.
        self.held_seconds = self.held_seconds - call.seconds if self.calls else 0.0
        if call.inbox_offset >= 0:
            self.inbox.free(call.inbox_offset)
            call.inbox_offset = -1

    def _tidy_up(self) -> None:
        # The child has answered everything, so it has read everything.
        self.inbox.restart()
        for offset in self._loose:
            self.inbox.free(offset)
        self._loose.clear()

    def _count_packets(self, change: int) -> None:
        self._packets += change
        self.page.words[PACKETS] = self._packets

    def _read_back(self) -> bytes:
        packets = b""
        with contextlib.suppress(BlockingIOError):
            while more := os.read(self.ends.packets, _READ_SIZE):
                packets += more
        return packets
