"""Control block: memory that a child shares with its pool, so that death hides nothing.

A child writes here what the pool must know if the child is killed between two
system calls: which call it had started, and the results it had not yet sent.

    offset 0    started    number of the call being run, 0 when none   (child writes)
           8    started_ns monotonic clock when it started             (child writes)
          16    produced   bytes of the result stream made so far      (child writes)
          24    ring_from  where the part of it that is in the ring begins  (child writes)
          32    item       which call's how many items were begun      (child writes)
          40    done       how many items of a bundle are done, and in how many pieces of results
                           they lie, if these are fewer (map/trial.py)  (child writes)
          48    loop_ns    since when its event loop is at a step, 0 when it waits  (child writes)
          56    peak_from  above which memory its peak is that of the attempt it runs; peak_memory.py  (child writes)
          64    packets    packets put into the pipe, less recalled    (pool writes)
          72    cancel     number of the call asked to stop            (pool writes)
          80    limit      which call's item is not to be begun        (pool writes)
        1024    let_go     for each place of the result arena, which result is done with (pool writes)
        4096    outbox     ring of OUTBOX_SIZE bytes                   (child writes)
       69632    board      results of the bundle that is being run     (child writes)
      102400    trace      what Python says when the child crashes     (child writes)

Each field has one writer and is one aligned 8-byte store, so a reader sees the
old or the new value and nothing between. Byte `n` of the result stream lies at
ring position `n % OUTBOX_SIZE` until the child has sent it through the pipe.

Invariants:
- The child stores a frame's bytes before it raises `produced`.
- It never overwrites bytes that it has not sent, and has never more unsent than the
  pool can look at while it lives: produced - sent <= KEPT_MAX, half the ring.
- Whoever sleeps has sent: a child that may block has no byte unsent (sending.py).
- So when a child is dead and the pipe is drained after `received` bytes, the
  ring holds all of [received, produced): no finished call is ever lost, although
  results are sent in batches.
- A frame larger than half the ring goes straight through the pipe and is never
  in the ring: when it has been written whole, the child raises `ring_from` and
  then `produced` to its end.
"""

import fcntl
import os
from typing import Final

from lightwork.pool.memory.shared_mmap import map_shared

OUTBOX_START: Final = 4096
OUTBOX_SIZE: Final = 1 << 16
BOARD_START: Final = OUTBOX_START + OUTBOX_SIZE
BOARD_SIZE: Final = 1 << 15
TRACE_START: Final = BOARD_START + BOARD_SIZE
# A hundred frames, which is where faulthandler ends.
TRACE_SIZE: Final = 1 << 14
BLOCK_SIZE: Final = TRACE_START + TRACE_SIZE

RING_FRAME_MAX: Final = OUTBOX_SIZE // 2
# Bytes that a child has unsent at most.
KEPT_MAX: Final = OUTBOX_SIZE - RING_FRAME_MAX

# The pool may look at a living child's ring only where stores become visible in
# program order. Elsewhere a child sends every result at once.
PEEKING: Final = os.uname().machine in {"x86_64", "i686"}

# Indexes of 8-byte words.
STARTED: Final = 0
STARTED_NS: Final = 1
PRODUCED: Final = 2
RING_FROM: Final = 3
ITEM: Final = 4
DONE: Final = 5
LOOP_NS: Final = 6
PEAK_FROM: Final = 7
PACKETS: Final = 8
CANCEL: Final = 9
LIMIT: Final = 10
LET_GO: Final = 128

# A bundle has at most so many items.
BUNDLE_MAX: Final = 1024
# Words about items: the number of a call times this, plus a number of items.
ITEM_SPAN: Final = 1 << 16
_RESULTS_START: Final = BOARD_START + 4 * BUNDLE_MAX

# Places of a result arena.
SLOTS: Final = 64


def can_be_peeked(produced: int, received: int, ring_from: int) -> bool:
    """Whether what a living child keeps is in the ring, where no frame can overwrite it now. Pure.

    It is not where the pool has still to read from the pipe: then that announces itself.
    """
    return received >= ring_from and produced - received <= KEPT_MAX


def make_control_block() -> int:
    """Return a descriptor of fresh shared memory for one child."""
    fd = os.memfd_create("lightwork-control-block", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, BLOCK_SIZE)
    # What faulthandler writes goes through the descriptor, and must end where the block ends.
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
    return fd


class ControlBlock:
    """One side's view of a control block."""

    def __init__(self, fd: int) -> None:
        self._map = map_shared(fd, BLOCK_SIZE)
        view = memoryview(self._map)
        self.words = view[:OUTBOX_START].cast("Q")
        self.outbox = view[OUTBOX_START:BOARD_START]
        # Where each result on the board ends, and the results (map/bundle.py).
        self.ends = view[BOARD_START:_RESULTS_START].cast("I")
        self.results = view[_RESULTS_START:TRACE_START]
        view.release()

    def read_stream(self, received: int) -> bytes:
        """Return the stream from `received` on; only when the child is dead.

        Before, everything that is in the pipe must have been read.
        """
        produced = self.words[PRODUCED]
        if not 0 < produced - received <= OUTBOX_SIZE:
            return b""
        start, end = received % OUTBOX_SIZE, produced % OUTBOX_SIZE
        if start < end:
            return bytes(self.outbox[start:end])
        return bytes(self.outbox[start:]) + bytes(self.outbox[:end])

    def peek_stream(self, received: int) -> bytes:
        """Return the stream from `received` on while the child lives, if that is safe now.

        A frame that the child is copying at this moment is at most RING_FRAME_MAX
        long, so it can only overwrite what lies more than half a ring behind
        `produced`. If `produced` moved during the copy, the copy is dropped:
        the next look or the pipe brings the same bytes.
        """
        produced = self.words[PRODUCED]
        if not can_be_peeked(produced, received, self.words[RING_FROM]):
            return b""
        copy = self.read_stream(received)
        return copy if self.words[PRODUCED] == produced else b""

    def read_trace(self) -> str:
        """Return what Python wrote when it crashed, or "" if it did not."""
        trace, _, _ = self._map[TRACE_START:].partition(b"\0")
        return trace.decode(errors="replace").strip()

    def close(self) -> None:
        """Release the memory of this side."""
        self.words.release()
        self.outbox.release()
        self.ends.release()
        self.results.release()
        self._map.close()


# In a child: its own; elsewhere empty.
own_block: list[ControlBlock] = []
