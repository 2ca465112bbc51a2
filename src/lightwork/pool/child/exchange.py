"""Exchange: what passes between a child and its pool: packets come in, frames go out.

Both loops of a child, that of plain calls (main.py) and that of coroutines
(event_loop.py), share one. It takes packets, makes a function and its arguments of
them, makes bytes of a value and keeps what is to be sent; which call runs when, and
what is said about it, is theirs.

Whoever sleeps has sent (memory/sending.py): a read that may block comes right after a flush.
Answers are kept only from one call to the next, until nothing more is waiting to be
run, the oldest has waited FLUSH_NS, or the outbox holds KEPT_MAX. An answer
behind which a long call began is read by the pool from shared memory.

Threads that a call has started may report progress. So `writing` is held by
whoever writes to the outbox, which is the child's one thread, except while the code of a
plain call runs. A process that a call has forked must write nothing at all: the memory
is its parent's too. If it comes back from the call, it ends (Forked).
"""

import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Never, TypeAlias

from lightwork.locks.owned_lock import OwnedLock
from lightwork.pool.child.code_on_disk import OwnImports, check_code
from lightwork.pool.memory.control_block import PACKETS, ControlBlock, own_block
from lightwork.pool.memory.inbox import RING_SIZE, InboxReader
from lightwork.pool.memory.large_value import BULK_MIN, Bulk, open_bulk, split
from lightwork.pool.memory.outbox import AnyOutbox, Outbox
from lightwork.pool.memory.result_arena import ResultArena
from lightwork.pool.memory.sending import may_keep
from lightwork.pool.wire.frames import (
    IS_BULK,
    PACKET_SIZE,
    Kind,
    Packet,
    pack_frame,
    unpack_packet,
)
from lightwork.pool.wire.function_cache import FunctionCache, FunctionNotLoaded
from lightwork.pool.wire.pickling import dump_answer, dump_result, load, load_apart
from lightwork.pool.wire.ref_child import RefCache, shelves

# How many descriptors a child is made with.
ENDS: Final = 6
# Done, total and a note, as a call reports them.
Progress: TypeAlias = tuple[float, float, str]
# People look ten times a second at most.
_PROGRESS_NS: Final = 50_000_000
_FUNCTION: Final = int(Kind.FUNCTION)
# What the child of a pool that is gone reads.
_STOP: Final = Packet(int(Kind.STOP), 0, 0, 0, b"")


def is_report_due(progress: Progress, waited_ns: int) -> bool:
    """Whether to send a report so long after another; one that is complete always counts."""
    done, total, _ = progress
    return 0 < total <= done or waited_ns > _PROGRESS_NS


class Forked:
    """What a process that a call has forked has in the place of what its parent owns."""

    def acquire(self) -> Never:
        """The call's code is over: so is this process."""
        os._exit(0)

    def put(self, _: object) -> Never:
        """Say nothing in the parent's name."""
        os._exit(0)

    flush = release = acquire

    def is_owned(self) -> bool:
        """Let nobody wait for it."""
        return True


class Exchange:
    """The child's end of its link; used by its one thread.

    Attributes:
        packets: The descriptor that can be read when there are packets.
        words: Those of the control block.
        outbox: Takes frames; another one after a fork.
        writing: Held by whoever writes to the outbox.
    """

    def __init__(self, ends: Sequence[int]) -> None:
        self.packets, frames, block, inbox, results, self._arena = ends
        # Another open file for the same pipe, which never blocks.
        self._look = os.open(
            f"/proc/self/fd/{self.packets}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        )
        own_block[:] = [ControlBlock(block)]
        self.words = own_block[0].words
        self.outbox: AnyOutbox = Outbox(own_block[0], frames)
        self._inbox = InboxReader(inbox)
        self._results = ResultArena(results, self.words)
        # Calls and references whose memory is, perhaps, not looked at any more: appended by finalizers.
        self._let_go: deque[int] = deque()
        self._refs = RefCache(self._arena, self._let_go.append)
        shelves[:] = [self._refs]
        self._functions = FunctionCache()
        self._imports = OwnImports()
        self._taken = 0
        self._flushed_ns = 0
        self.writing = OwnedLock()
        self.writing.acquire()
        os.register_at_fork(after_in_child=self._be_forked)

    def read_setup(self, size: int) -> Any:
        """Return what the child learns before its first call."""
        return load(self._inbox.read(RING_SIZE, size))

    def send_logs(self, levels: dict[str, int]) -> None:
        """Send what this process logs from these levels on, by name of the logger."""
        # Imported only for a pool that wants it: logging costs 6 ms.
        from lightwork.pool.child.log_sender import send_logs  # noqa: PLC0415 - see above

        self.outbox = send_logs(self.outbox, levels)

    def redirect_output(self, mark: bytes) -> None:
        """Let output be read by the pool; the mark comes before a function's name."""
        # Imported only for a pool that wants it, like the above.
        from lightwork.pool.child.output_tag import redirect_output  # noqa: PLC0415 - see above

        self._functions = FunctionCache(redirect_output(mark).announced)

    def next_packet(self) -> Packet:
        """Wait for a packet; nothing is unsent while this sleeps. It is STOP when the pool is gone."""
        while True:
            if self._let_go or self._refs.known:
                self.tell_let_go()
            packet = None
            if may_keep(self.words[PACKETS], self._taken, time.monotonic_ns() - self._flushed_ns):
                packet = self.look()
            if packet is None:
                # Nothing is there, or the pool has taken it back.
                self.outbox.flush()
                self._flushed_ns = time.monotonic_ns()
                packet = self._take(os.read(self.packets, PACKET_SIZE))
            if packet is not None:
                return packet

    def look(self) -> Packet | None:
        """Return a packet if one is there."""
        packet = None
        while packet is None:
            try:
                raw = os.read(self._look, PACKET_SIZE)
            except BlockingIOError:
                break
            packet = self._take(raw)
        return packet

    def tell_let_go(self) -> None:
        """Say which large arguments and references nothing looks at any more."""
        self._refs.forget_dropped()
        while self._let_go:
            number = self._let_go.popleft()
            if not self._refs.is_looked_at(number):
                self.outbox.put(pack_frame(Kind.LET_GO, number, b""))

    def open_call(
        self, packet: Packet
    ) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        """Return the function of a call and its arguments.

        Raises:
            BaseException: Whatever loading them raised.
            CodeReplaced: That has imported other code of lightwork than this process began with.
        """
        try:
            opened = self._open_call(packet)
        except BaseException as error:
            check_code()
            if issubclass(type(error), FunctionNotLoaded):
                # Before the answer, after which another call might come.
                self.outbox.put(pack_frame(Kind.UNFIT, 0, b""))
            raise
        if len(sys.modules) != self._imports.seen:
            self._imports.check()
        return opened

    def _open_call(
        self, packet: Packet
    ) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        offset = packet.offset
        body = packet.body if offset < 0 else self._inbox.read(offset, packet.size)
        if packet.is_bulk:
            # First: whatever goes wrong, the pool must learn that it was let go of.
            bulk = Bulk.unpack(body)
            memory = open_bulk(self._arena, bulk, partial(self._let_go.append, packet.seq))
            function = self._functions.get(packet.function)
            args, kwargs = load_apart(split(memory, bulk.sizes))
        else:
            function = self._functions.get(packet.function)
            args, kwargs = load(body)
        return function, args, kwargs

    def pack_value(self, value: object) -> tuple[bytes, int]:
        """Return what a call returned as the body of a frame, and its flags.

        Raises:
            BaseException: Whatever pickling raised, or OSError: there is no memory for it.
        """
        data, apart = dump_result(value)
        if not apart and len(data) < BULK_MIN:
            return data, 0
        place = self._results.put([data, *apart])
        if place is not None:
            return place, IS_BULK
        return dump_answer(value) if apart else data, 0

    def put_last_report(self, seq: int, progress: Progress) -> None:
        """Keep the report that a call made last, right before its answer."""
        # What cannot be pickled is no reason to fail a call that has its outcome.
        with contextlib.suppress(Exception):
            self.outbox.put(pack_frame(Kind.PROGRESS, seq, dump_answer(progress)))

    def _take(self, raw: bytes) -> Packet | None:
        """Return the packet, unless it is a function, which is learnt here."""
        if not raw:
            return _STOP
        self._taken += 1
        packet = unpack_packet(raw)
        if packet.kind != _FUNCTION:
            return packet
        offset = packet.offset
        body = packet.body if offset < 0 else bytes(self._inbox.read(offset, packet.size))
        self._functions.learn(packet.function, body, replaces=packet.seq)
        return None

    def _be_forked(self) -> None:
        self.outbox = self._results = self.writing = Forked()  # type: ignore[assignment]
