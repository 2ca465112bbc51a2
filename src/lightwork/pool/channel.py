"""Channel: the descriptors that join a pool to one child.

Made by the pool before the child exists. The five that the child needs go to
the fork server over a socket; the pool then closes its copies of those that it
must not hold (the result pipe's writing end, or it would never see the end of
the stream) or has mapped (the page). A pool of 240 children lives within the
usual allowance of 1024 descriptors: each costs four from Python 3.13 on.
"""

import contextlib
import fcntl
import os
from dataclasses import dataclass
from typing import Final

from lightwork.pool.inbox import make_inbox
from lightwork.pool.page import make_page

# Results of 1 MiB without a second wake-up. Beyond the user's allowance of pipe
# memory the default size has to do. Packets are small: theirs holds 1024.
_PIPE_SIZE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ChildEnds:
    """What the child reads and writes."""

    packets: int
    results: int
    page: int
    inbox: int
    shelf: int

    def all(self) -> tuple[int, int, int, int, int]:
        """Return all five, in the order in which they travel."""
        return self.packets, self.results, self.page, self.inbox, self.shelf

    def close(self) -> None:
        """Close the pool's copies."""
        for fd in (self.packets, self.results, self.page):
            os.close(fd)


@dataclass(frozen=True, slots=True)
class PoolEnds:
    """What the pool reads and writes; none of them blocks."""

    # Writes packets, and reads them back: how unstarted calls are recalled.
    packets: int
    results: int
    # The child's end closes it.
    page: int
    inbox: int
    shelf: int

    def close(self) -> None:
        """Close them, of a channel that is not used after all."""
        for fd in (self.packets, self.results, self.inbox, self.shelf):
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
        page = make_page()
        opened.append(page)
        inbox = make_inbox()
        opened.append(inbox)
        shelf = os.memfd_create("lightwork-shelf", os.MFD_CLOEXEC)
        opened.append(shelf)
        os.set_blocking(results_read, False)
        with contextlib.suppress(OSError):
            fcntl.fcntl(results_write, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    except BaseException:
        # Out of descriptors half-way: give back those that were opened.
        for fd in opened:
            os.close(fd)
        raise
    return (
        PoolEnds(packets, results_read, page, inbox, shelf),
        ChildEnds(packets_read, results_write, page, inbox, shelf),
    )
