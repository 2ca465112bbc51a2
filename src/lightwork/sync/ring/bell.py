"""Bell: how who finds nothing sleeps, and is woken: an eventfd, and a word that says whether anybody wants it.

    who waits                                       who has something for those
    listens (epoll, edge-triggered)                   makes it true
    word = 1                                          unlocks: a system call, and with it a barrier
    looks, under the lock: nothing                    word == 1?  word = 0, rings
    sleeps ── woken: word = 1, looks again ──▶

- Nobody clears the eventfd: each ring is an edge, which whoever listens since before hears. So no look of one takes the wake-up
  of another.
- A ring wakes one (EPOLLEXCLUSIVE). Others may sleep on though the word is 0, so whoever was woken sets it again, and if there
  is more than it took rings for the next (`pass_on`).
- Who is killed in between, or interrupted, has a wake-up that was for all: the broker, or the `except`, rings once more.
  A ring too many costs a look.
"""

import os
import select
import time
from types import TracebackType
from typing import Final, Self

from lightwork.sync.ring.layout import Words

_ONE: Final = select.EPOLLIN | select.EPOLLET | select.EPOLLEXCLUSIVE
_ALL: Final = select.EPOLLIN | select.EPOLLET


# Seconds of one sleep: a wake-up that several signals at once have cost somebody, amid all that is done about it, costs this.
_LONGEST: Final = 1.0


class BrokerEndedError(Exception):
    """The line to the broker has ended."""


def ring_if_wanted(words: Words, wanted: int, bell: int) -> None:
    """Wake one who waits, if anybody may."""
    if words[wanted]:
        words[wanted] = 0
        os.eventfd_write(bell, 1)


class Listener:
    """Where a thread sleeps, one at a time; to be entered by it. One that is kept hears no ring meant for others.

    Args:
        words: Of the ring.
        wanted: The word that says that somebody waits for this.
        bell: What is rung.
        line: A socket whose end is the broker's.
        is_alone: A ring is for one; else all hear it.
    """

    def __init__(self, words: Words, wanted: int, bell: int, line: int, *, is_alone: bool) -> None:
        self._words, self._wanted, self._bell, self._line = words, wanted, bell, line
        self._epoll = select.epoll()
        self._epoll.register(bell, _ONE if is_alone else _ALL)
        # Nothing is asked for: the end of a line is always told.
        self._epoll.register(line, 0)

    def want(self) -> None:
        """Ask to be woken; who asks looks after that, under a lock of the kernel, which is a barrier."""
        self._words[self._wanted] = 1

    def sleep(self, end: float | None) -> bool:
        """Sleep until it rings, or is to be looked at again; False: the time is up (`time.monotonic`).

        Raises:
            BrokerEndedError: It has.
        """
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            return False
        try:
            is_woken = self._hear(left)
        except BaseException:
            self.pass_on()
            raise
        self.want()
        return is_woken or end is None or time.monotonic() < end

    def _hear(self, left: float | None) -> bool:
        heard = self._epoll.poll(_LONGEST if left is None else min(left, _LONGEST))
        if any(number == self._line for number, _ in heard):
            raise BrokerEndedError
        return bool(heard)

    def pass_on(self) -> None:
        """Ring for somebody else, who may sleep though there is something."""
        self._words[self._wanted] = 0
        os.eventfd_write(self._bell, 1)

    def __enter__(self) -> Self:
        self.want()
        # What has rung before is of no interest, and this is the barrier between the word and the look.
        self._hear(0.0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and not isinstance(error, TimeoutError):
            # The end, a move, an interrupt: others may have to hear of it.
            self.pass_on()
