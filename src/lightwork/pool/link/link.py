"""Link: the pool's end of one child.

Owns the descriptors and the shared memory. Beside them stand, both pure, where the child is in
its life (child_state.py) and which calls it holds (held_calls.py). Never decides anything
(process/plan.py) and never resolves a future (process/settle.py).

Threads: all is used under the pool's lock, but for `read`, `peek` and `last_words`, which
belong to the pool's dispatcher, and `has_begun`.
"""

import contextlib
import os
import select
import time
from collections.abc import Iterable
from typing import Final

from lightwork.pool.link.bundle_board import BundleBoard
from lightwork.pool.link.channel import PoolEnds
from lightwork.pool.link.child_state import TAKE_CALLS, ChildEvent, ChildState, step
from lightwork.pool.link.held_calls import HeldCalls, TakenBack
from lightwork.pool.link.process_call import ProcessCall
from lightwork.pool.memory.control_block import (
    CANCEL,
    LOOP_NS,
    PACKETS,
    PEAK_FROM,
    STARTED,
    STARTED_NS,
    ControlBlock,
)
from lightwork.pool.memory.inbox import RING_SIZE, Inbox
from lightwork.pool.memory.result_arena import ResultArenaReader
from lightwork.pool.wire.frames import (
    ASYNC_INLINE_MAX,
    ATTEMPT_MAX,
    INLINE_MAX,
    IS_BULK,
    Frame,
    FrameReader,
    Kind,
    pack_inbox_packet,
    pack_packet,
    read_packets,
    with_timeout,
)
from lightwork.pool.wire.function import Function

_READ_SIZE: Final = 1 << 16
# So that one child's gigabyte does not keep the others waiting.
_READS_MAX: Final = 64
_CALL, _ASYNC_CALL = int(Kind.CALL), int(Kind.ASYNC_CALL)


class ChildLink:
    """One child as its pool sees it. Others read its attributes; only its methods change them."""

    def __init__(self, serial: int, name: str, ends: PoolEnds) -> None:
        self.serial = serial
        self.name = name
        self.pid = 0
        self.state = ChildState.STARTING
        # Of the state, since it is asked for every call.
        self.takes_calls = True
        self.held = HeldCalls(serial)
        # Somebody has ended the whole pool by killing its children.
        self.is_unwanted = False
        # The child, or the last process that it has forked, has closed its pipe.
        self.is_at_end = False
        self._ends = ends
        self._block = ControlBlock(ends.block)
        self.board = BundleBoard(self._block)
        self.results = ResultArenaReader(ends.result_arena, self._block.words)
        self._inbox = Inbox(ends.inbox)
        self._frames = FrameReader()
        # Position in the stream of results, and how much of it was read from the
        # control block before it came through the pipe.
        self._received = 0
        self._ahead = 0
        self._packets = 0

    def fileno(self) -> int:
        """Return the descriptor from which results come."""
        return self._ends.results

    def set_up(self, setup: bytes) -> None:
        """Put what the child reads first, from RING_SIZE on."""
        offset = self._inbox.put_extent(setup)
        assert offset == RING_SIZE

    # --- its life

    def note_unwanted(self) -> None:
        """Note that it is about to be killed with all others, since somebody wants that."""
        self.is_unwanted = True

    def note(self, event: ChildEvent) -> None:
        """Take in what has happened to the child.

        Raises:
            IllegalStep: It cannot happen to a child in this state.
        """
        self.state = step(self.state, event)
        self.takes_calls = self.state in TAKE_CALLS

    def note_born(self, pid: int) -> None:
        """The child runs as this process."""
        self.pid = pid

    def note_ready(self) -> None:
        """The child has read its setup and runs calls."""
        self.note(ChildEvent.SAID_READY)
        self._inbox.free(RING_SIZE)

    # --- giving

    def stage(self, call: ProcessCall) -> None:
        """Prepare a call for the child; the next `flush` sends it.

        Raises:
            OSError: There is no memory for the arguments.
        """
        function, body, attempt = call.function, call.body, call.options.attempt
        call.ring_start = self._inbox.head
        if function.number not in self.held.functions:
            self._stage_function(function)
        call.body_start = self._inbox.head
        flags = IS_BULK if call.extent is not None else 0
        attempt = min(attempt, ATTEMPT_MAX)
        if call.end or len(body) > (ASYNC_INLINE_MAX if function.is_async else INLINE_MAX):
            packet = self._put_body(call, flags, attempt)
        else:
            kind = _ASYNC_CALL if function.is_async else _CALL
            packet = pack_packet(
                kind, function.number, call.seq, body, flags=flags, attempt=attempt
            )
            call.inbox_offset = -1
        if function.is_async:
            packet = with_timeout(packet, call.options.timeout)
        call.ring_end = self._inbox.head
        self.held.add(call, packet)

    def _put_body(self, call: ProcessCall, flags: int, attempt: int) -> bytes:
        call.inbox_offset = self._inbox.put(call.body)
        return pack_inbox_packet(
            _ASYNC_CALL if call.function.is_async else _CALL,
            call.function.number,
            call.seq,
            offset=call.inbox_offset,
            size=len(call.body),
            flags=flags,
            first=call.first,
            end=call.end,
            attempt=attempt,
        )

    def _stage_function(self, function: Function) -> None:
        number, blob, offset = function.number, function.blob, -1
        replaced = self.held.function_to_replace()
        if len(blob) <= INLINE_MAX:
            packet = pack_packet(Kind.FUNCTION, number, replaced, blob)
        else:
            offset = self._inbox.put(blob)
            packet = pack_inbox_packet(
                Kind.FUNCTION, number, replaced, offset=offset, size=len(blob)
            )
        self.held.add_function(number, offset, packet, replaced=replaced)

    def flush(self) -> list[ProcessCall]:
        """Send what was staged; return the calls for which its pipe had no room."""
        staged = self.held.take_staged()
        if not staged:
            return []
        # Counted before it is there: a child that counts too few would wait with
        # its answers unsent, one that counts too many merely sends them sooner.
        self._count_packets(len(staged))
        data = b"".join(staged)
        try:
            sent = os.write(self._ends.packets, data)
        except BlockingIOError:
            sent = 0
        if sent == len(data):
            return []
        return self._take_back(read_packets(data[sent:])).calls

    def send_stop(self) -> bool:
        """Tell the child to end when it has read this; False when its pipe is full."""
        self._count_packets(1)
        with contextlib.suppress(BlockingIOError):
            os.write(self._ends.packets, pack_packet(Kind.STOP, 0, 0, b""))
            self.note(ChildEvent.TOLD_TO_STOP)
            return True
        return False

    # --- taking back

    def recall(self) -> list[ProcessCall]:
        """Take back every call that the child has not taken, oldest first."""
        if self.state is ChildState.STOPPING:
            return []  # It holds no call, and the word to stop must stay in the pipe.
        taken = self._take_back(read_packets(self._read_back()))
        if taken.words:
            # They are about calls that the child has; there is room, and they are counted.
            words = [pack_packet(kind, 0, seq, b"") for kind, seq in taken.words]
            os.write(self._ends.packets, b"".join(words))
        return taken.calls

    def _take_back(self, packets: Iterable[tuple[int, int, int]]) -> TakenBack:
        taken = self.held.take_back(packets)
        if taken.packets:
            self._count_packets(-taken.packets)
        for offset in taken.offsets:
            self._inbox.free(offset)
        if taken.ring_start >= 0:
            self._inbox.rewind(taken.ring_start)
        return taken

    def forget(self, seq: int) -> ProcessCall | None:
        """Take a call off the table: answered or lost."""
        call = self.held.forget(seq)
        if call is not None:
            if call.inbox_offset >= 0:
                self._inbox.free(call.inbox_offset)
            if call.ring_end > call.ring_start:
                self._inbox.advance(call.ring_end)
            if not self.held.calls:
                self._tidy_up()
        return call

    def _tidy_up(self) -> None:
        # The child has answered everything, so it has read everything.
        self._inbox.restart()
        for offset in self.held.take_loose():
            self._inbox.free(offset)

    # --- what runs

    def started(self) -> tuple[int, float]:
        """Return the number of the call that runs (0: none) and for how many seconds."""
        seq = self._block.words[STARTED]
        return seq, (time.monotonic_ns() - self._block.words[STARTED_NS]) * 1e-9

    def has_begun(self, seq: int) -> bool:
        """Whether a call that the child was given has begun; may be asked without the lock."""
        # Closed meanwhile: what became of its calls is told elsewhere.
        with contextlib.suppress(ValueError):
            return seq in self.held.begun or self._block.words[STARTED] == seq
        return False

    def items_begun(self, seq: int) -> int:
        """Return how many items of a bundle have begun; may be asked without the lock."""
        with contextlib.suppress(ValueError):
            return self.board.begun(seq)
        return 0

    def ask_to_stop(self, seq: int) -> None:
        """Let the call see that it is cancelled."""
        self._block.words[CANCEL] = seq
        if seq in self.held.coroutines:
            self.send_word(Kind.ASK, seq)

    def send_word(self, kind: Kind, seq: int) -> None:
        """Send a packet about a coroutine call, unless the pipe is full."""
        # Then nothing is lost: CANCEL is said again, and the block holds the last that was asked.
        self._count_packets(1)
        try:
            os.write(self._ends.packets, pack_packet(kind, 0, seq, b""))
        except BlockingIOError:
            self._count_packets(-1)

    def is_at_long_step(self, seconds_max: float) -> bool:
        """Whether the child is at one call, or one step of its loop, for longer than that."""
        seq, seconds = self.started()
        if self.held.begun and self.blocked_seconds() > seconds_max:
            return True
        return seq in self.held.calls and seconds > seconds_max

    def blocked_seconds(self) -> float:
        """Return since when the child's event loop has been at one step; 0: it waits, or has none."""
        since = self._block.words[LOOP_NS]
        return (time.monotonic_ns() - since) * 1e-9 if since else 0.0

    def peak_of_attempt(self, peak: int) -> int | None:
        """Return the peak of the child if it is that of the job's attempt that runs; None: not known."""
        counts_from = self._block.words[PEAK_FROM]
        return peak if 0 < counts_from < peak else None

    def read_trace(self) -> str:
        """Return what Python wrote when the child crashed, or ""."""
        return self._block.read_trace()

    # --- what the child says

    def read(self) -> list[Frame]:
        """Return the frames that the pipe holds now, or some of very many."""
        frames: list[Frame] = []
        for _ in range(_READS_MAX):
            data = self._read_pipe()
            is_last = len(data) < _READ_SIZE
            if self._ahead:
                # The first bytes have been read from the block already.
                known = min(self._ahead, len(data))
                self._ahead -= known
                data = data[known:]
            self._received += len(data)
            frames += self._frames.feed(data)
            if is_last:
                break
        return frames

    def peek(self) -> list[Frame]:
        """Return answers that a living child keeps behind a call it is running."""
        return self._take_ahead(self._block.peek_stream(self._received))

    def last_words(self) -> list[Frame]:
        """Return all that a dead child had finished and the pool has not seen."""
        frames: list[Frame] = []
        seen = -1
        while seen != self._received + self._ahead:
            seen = self._received + self._ahead
            frames += self.read()
        return frames + self._take_ahead(self._block.read_stream(self._received))

    def wait_for_end(self, seconds: float) -> None:
        """Wait until the child, whose death is certain, has closed its pipe, but no longer."""
        poll = select.poll()
        poll.register(self._ends.results, 0)
        poll.poll(seconds * 1000)

    def close(self) -> None:
        """Give back descriptors and memory."""
        self.results.close()
        self._block.close()
        self._inbox.close()
        self.held.let_go_of_all()
        for fd in (self._ends.packets, self._ends.results, self._ends.result_arena):
            os.close(fd)

    def _read_pipe(self) -> bytes:
        try:
            data = os.read(self._ends.results, _READ_SIZE)
        except BlockingIOError:
            return b""
        self.is_at_end = not data
        return data

    def _take_ahead(self, data: bytes) -> list[Frame]:
        self._received += len(data)
        self._ahead += len(data)
        return self._frames.feed(data)

    def _count_packets(self, change: int) -> None:
        self._packets += change
        self._block.words[PACKETS] = self._packets

    def _read_back(self) -> bytes:
        packets = b""
        with contextlib.suppress(BlockingIOError):
            while more := os.read(self._ends.packets, _READ_SIZE):
                packets += more
        return packets
