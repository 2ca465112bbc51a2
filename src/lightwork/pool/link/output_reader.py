"""Output reader: what children write to standard output and error, line by line; the pool's side.

    child: print, C code, programs it starts ──▶ descriptor 1 or 2 = a pipe ──▶ Output ──▶ listener

Caught at the descriptors, because Python's `sys.stdout` is only one of those who
write there. Each child has a pipe for each stream. Who speaks is said in the
stream itself: before a call of another function than the last one, the child
writes a mark (child/output_tag.py), so even the lines of calls that are long over
have the right name. What a thread or a program left behind by a call writes
later counts for the function that runs by then.

Promises:
- Order is kept within a stream; between the two of a child it is not known.
- A future is resolved after its call's lines were passed on.
- Nothing is lost: a child whose pipe is full waits until the pool has read it. So
  a slow listener slows the pool down; one that waits for a call of the same pool
  waits for ever, like any callback of a future.
- A line has no end after LINE_MAX bytes: what follows is passed on as another.
- When a child ends, however it ends, what it wrote is read, and a line that was
  not finished is passed on. What it left running keeps a pipe that nobody reads.

Used by the dispatcher's thread alone; only `tell` runs code of the user.
"""

import logging
import os
import select
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from lightwork.errors import UsageError
from lightwork.pool.call.log_failure import log_failure

log = logging.getLogger(__name__)

LINE_MAX: Final = 1 << 16
# A mark whose end was not read yet lies within so many bytes of the end: it is not cut.
_MARK_MAX: Final = 4096
# More than a pipe holds: one pass takes all that was there when it began.
_READS_MAX: Final = 4
_READ_SIZE: Final = 1 << 16

StreamName = Literal["stdout", "stderr"]
_NAMES: Final[tuple[StreamName, StreamName]] = ("stdout", "stderr")


@dataclass(frozen=True, slots=True)
class OutputLine:
    """One line that a child wrote.

    Attributes:
        text: Without its end; bytes that are not UTF-8 are replaced.
        stream: "stdout" or "stderr".
        worker: Name of the child.
        function: What it ran then; "" before its first call.
    """

    __module__ = "lightwork"

    text: str
    stream: StreamName
    worker: str
    function: str


Listener = Callable[[OutputLine], object]


def show_line(line: OutputLine) -> None:
    """Print a line where the program prints, with the name of the child and function before it."""
    who = f"{line.worker} {line.function}".rstrip()
    print(f"[{who}] {line.text}", file=getattr(sys, line.stream), flush=True)


def check_output(output: object) -> Listener | None:
    """Return what is to be called with each line; None: children write where the program does.

    Raises:
        UsageError: It is neither of these.
    """
    if output == "show":
        return show_line
    if output is None or callable(output):
        return output
    raise UsageError(f'output must be None, "show" or a function of one line; seen: {output!r}')


class OutputReader:
    """The pipes of all children of a pool."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        # Written by children before the name of a function; nobody else can know it.
        self.mark = b"\0" + os.urandom(8).hex().encode() + b"\0"
        # Watched by the pool's poller as one: readable when any pipe is.
        self._epoll = select.epoll()
        self._streams: dict[int, _Stream] = {}
        self._by_child: dict[int, list[int]] = {}
        self._lines: deque[OutputLine] = deque()

    def fileno(self) -> int:
        """Return the descriptor that says whether there is something to read."""
        return self._epoll.fileno()

    def open(self, serial: int, worker: str) -> list[int]:
        """Return the child's ends of its two pipes, which the caller closes.

        Raises:
            OSError: The system has no more descriptors.
        """
        theirs: list[int] = []
        for name in _NAMES:
            try:
                ours, their = os.pipe2(os.O_CLOEXEC)
            except OSError:
                close_all(theirs)
                self.close(serial)
                raise
            os.set_blocking(ours, False)
            theirs.append(their)
            self._streams[ours] = _Stream(self.mark, name, worker, self._lines.append)
            self._by_child.setdefault(serial, []).append(ours)
            self._epoll.register(ours, select.EPOLLIN)
        return theirs

    def tell(self) -> None:
        """Pass on all lines that are there."""
        if not self._epoll.closed:
            for fd, _ in self._epoll.poll(0):
                self._read(fd)
        while self._lines:
            line = self._lines.popleft()
            try:
                self._listener(line)
            except BaseException:
                # Whatever it raised: the pool must go on.
                log_failure(log, "output_not_passed_on child=%s", line.worker)

    def close(self, serial: int) -> None:
        """Read what a child that has ended has written, and close its pipes."""
        for fd in self._by_child.pop(serial, ()):
            self._read(fd)
            self._streams.pop(fd).end()
            with suppress(FileNotFoundError):  # It was at its end.
                self._epoll.unregister(fd)
            os.close(fd)

    def hang_up(self) -> None:
        """Close what is left."""
        for serial in list(self._by_child):
            self.close(serial)
        self._epoll.close()

    def _read(self, fd: int) -> None:
        with suppress(BlockingIOError):
            for _ in range(_READS_MAX):
                if not (data := os.read(fd, _READ_SIZE)):
                    with suppress(FileNotFoundError):
                        self._epoll.unregister(fd)
                    return
                self._streams[fd].feed(data)


class _Stream:
    """Cuts the bytes of one pipe into lines."""

    def __init__(
        self, mark: bytes, name: StreamName, worker: str, add: Callable[[OutputLine], None]
    ) -> None:
        self._mark = mark
        self._name: StreamName = name
        self._worker = worker
        self._add = add
        self._function = ""
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take what came next."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)
        while len(self._rest) > LINE_MAX + _MARK_MAX:
            self._say(self._rest[:LINE_MAX])
            self._rest = self._rest[LINE_MAX:]

    def end(self) -> None:
        """Take the line that was not finished."""
        rest, self._rest = self._rest, b""
        if rest:
            self._take(rest)

    def _take(self, line: bytes) -> None:
        text, mark, function = line.partition(self._mark)
        if not mark:
            self._say_all(line)
            return
        # What stands before the mark is a line that the last function did not finish.
        if text:
            self._say_all(text)
        self._function = function.decode(errors="replace")

    def _say_all(self, line: bytes) -> None:
        for start in range(0, len(line) or 1, LINE_MAX):
            self._say(line[start : start + LINE_MAX])

    def _say(self, line: bytes) -> None:
        text = line.removesuffix(b"\r").decode(errors="replace")
        self._add(OutputLine(text, self._name, self._worker, self._function))


def close_all(fds: list[int]) -> None:
    """Close descriptors that have been handed over."""
    for fd in fds:
        os.close(fd)
