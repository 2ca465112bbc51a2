"""Channel: the descriptors that join a pool to one child.

Made by the pool before the child exists. The child's five ends go to the fork
server over a socket, with the arena, which all children share, as the sixth; the pool
then closes its copies of those that it must not hold (the result pipe's writing end,
or it would never see the end of the stream) or has mapped (the control block). A pool
of 240 children lives within the
usual allowance of 1024 descriptors: each costs four from Python 3.13 on.
"""

import contextlib
import fcntl
import os
from typing import Final, NamedTuple

from lightwork.pool.memory.control_block import make_control_block
from lightwork.pool.memory.inbox import make_inbox

# Results of 1 MiB without a second wake-up. Beyond the user's allowance of pipe
# memory the default size has to do. Packets are small: theirs holds 1024.
_PIPE_SIZE: Final = 1 << 20


class ChildEnds(NamedTuple):
    """What the child reads and writes."""

    packets: int
    results: int
    block: int
    inbox: int
    result_arena: int

    def all(self) -> tuple[int, int, int, int, int]:
        """Return all five, in the order in which they travel."""
        return self.packets, self.results, self.block, self.inbox, self.result_arena

    def close(self) -> None:
        """Close the pool's copies."""
        for fd in (self.packets, self.results, self.block):
            os.close(fd)


class PoolEnds(NamedTuple):
    """What the pool reads and writes; none of them blocks."""

    # Writes packets, and reads them back: how unstarted calls are recalled.
    packets: int
    results: int
    # The child's end closes it.
    block: int
    inbox: int
    result_arena: int

    def close(self) -> None:
        """Close them, of a channel that is not used after all."""
        for fd in (self.packets, self.results, self.inbox, self.result_arena):
            os.close(fd)


def open_channel() -> tuple[PoolEnds, ChildEnds]:
    """Return both ends of a new channel, all closed on exec."""
    opened: list[int] = []
    try:
        packets_read, packets_write = os.pipe2(os.O_CLOEXEC)
        opened += [packets_read, packets_write]
        # Another open file for the same pipe, for both directions: the child's end
        # blocks, ours must not, and that flag belongs to the open file.
        packets = os.open(f"/proc/self/fd/{packets_read}", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        opened.append(packets)
        opened.remove(packets_write)
        os.close(packets_write)
        results_read, results_write = os.pipe2(os.O_CLOEXEC)
        opened += [results_read, results_write]
        block = make_control_block()
        opened.append(block)
        inbox = make_inbox()
        opened.append(inbox)
        arena = os.memfd_create("lightwork-results", os.MFD_CLOEXEC)
        opened.append(arena)
        os.set_blocking(results_read, False)
        with contextlib.suppress(OSError):
            fcntl.fcntl(results_write, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    except BaseException:
        # Out of descriptors half-way: give back those that were opened.
        for fd in opened:
            os.close(fd)
        raise
    return (
        PoolEnds(packets, results_read, block, inbox, arena),
        ChildEnds(packets_read, results_write, block, inbox, arena),
    )
