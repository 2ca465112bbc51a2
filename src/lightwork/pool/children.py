"""Children: the processes of one pool, and which of them can take a call.

Starts, stops, kills and removes; knows nothing of futures and decides nothing
about calls. Every method is called under the lock of the pool.
"""

import logging
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.process import current_process

from lightwork.pool.arena import Arena
from lightwork.pool.channel import ChildEnds, open_channel
from lightwork.pool.child import Setup
from lightwork.pool.fork_client import Born, Exited, ForkChannel, Refused, open_fork_channel
from lightwork.pool.inherit import Inheritance
from lightwork.pool.link import Call, ChildLink
from lightwork.pool.memory import resident_bytes
from lightwork.pool.naming import DEFAULT_NAME, child_title
from lightwork.pool.output import Listener, Output, close_all
from lightwork.pool.pickling import dump
from lightwork.pool.plan import AHEAD_BYTES, AHEAD_SECONDS, ASYNC_CALLS, may_send_ahead
from lightwork.pool.poller import FOREVER, Poller
from lightwork.pool.relog import known_levels


def _folder() -> str:
    """Return the folder of this process; "" if it is gone, so that children have their server's."""
    try:
        return os.getcwd()  # noqa: PTH109 - text in, text out
    except FileNotFoundError:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """What a pool is made of."""

    children: int
    name: str = DEFAULT_NAME
    # What children find in os.environ: all of it, because the fork server may be as old as the
    # program and its environment too.
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    # Of Hooks, or empty.
    hooks: Inheritance = field(default_factory=Inheritance)
    # Calls after which a child is replaced; 0: never.
    calls_per_child: int = 0
    # Bytes above which a child is replaced; 0: never.
    memory_per_child: int = 0
    # Most coroutine calls on one child at a time.
    async_calls: int = ASYNC_CALLS
    # Seconds after which a child without calls ends.
    idle_timeout: float = FOREVER
    # Whether what children log is logged here.
    logs: bool = False
    # Called with each line that children write; None: they write where the program does.
    output: Listener | None = None
    folder: str = field(default_factory=_folder)


class Children:
    """All children of a pool."""

    def __init__(self, settings: PoolSettings, poller: Poller, arena: Arena) -> None:
        self._settings = settings
        self._arena = arena
        self._poller = poller
        self._serials = count(1)
        self._channel = open_fork_channel()
        poller.watch(self._channel.fileno())
        self._output: Output | None = None
        if settings.output is not None:
            self._output = Output(settings.output)
            poller.watch(self._output.fileno())
        self._links: dict[int, ChildLink] = {}
        self._by_fd: dict[int, ChildLink] = {}
        # Without calls, the longest idle first; read without the lock as a hint.
        self.idle: dict[int, ChildLink] = {}
        # What is to be logged when nobody holds the lock.
        self.notes: deque[tuple[int, str, *tuple[object, ...]]] = deque()
        # How many children there were when the system refused another one; -1: it never did.
        self._refused_at = -1
        self._are_staying = False
        # How many were told to stop and have not ended.
        self._stopped = 0

    def __len__(self) -> int:
        return len(self._links)

    def __iter__(self) -> Iterator[ChildLink]:
        return iter(list(self._links.values()))

    def by_fd(self, fd: int) -> ChildLink | None:
        """Return the child whose results come from this descriptor."""
        return self._by_fd.get(fd)

    def by_serial(self, serial: int) -> ChildLink:
        """Return the child that the fork server speaks of."""
        return self._links[serial]

    def is_server(self, fd: int) -> bool:
        """Whether the descriptor is the line to the fork server."""
        return fd == self._channel.fileno()

    def read_server(self) -> list[Born | Exited | Refused] | None:
        """Return what the fork server says; None when it is gone."""
        return self._channel.read()

    def pass_on_output(self) -> None:
        """Tell the listener what children have written; only outside of the pool's lock."""
        if self._output is not None:
            self._output.tell()

    # --- who takes a call

    def has_loop_room(self, link: ChildLink) -> bool:
        """Whether the child may be given one more coroutine call."""
        return (
            len(link.coroutines) < self._settings.async_calls
            and not (link.is_leaving or link.is_stalled)
            and link.held_seconds <= AHEAD_SECONDS
            and link.held_bytes <= AHEAD_BYTES
        )

    @property
    def places(self) -> int:
        """How many more children there may be; a hint where the lock is not held."""
        return self._settings.children - len(self._links) + self._stopped

    def last_idle(self) -> ChildLink:
        """Return the last to become idle, whose memory is warm; there must be one."""
        return self.idle[next(reversed(self.idle))]

    def note_given(self, link: ChildLink) -> None:
        """The child was given a call."""
        self.idle.pop(link.serial, None)
        if link.sent_total == self._settings.calls_per_child:
            link.is_leaving = True

    def note_free(self, link: ChildLink) -> None:
        """The child has answered all its calls, or they were taken back."""
        if not link.is_leaving:
            if link.serial not in self.idle:
                link.idle_since = time.monotonic()
            self.idle[link.serial] = link
        elif not link.is_killed and not link.is_told_to_stop:
            self.stop(link)

    # --- who goes although nothing is wrong

    def outgrew(self, link: ChildLink) -> bool:
        """Whether the child holds more memory than it may keep; it then gets no more calls."""
        limit = self._settings.memory_per_child
        if not limit or link.is_leaving or (used := resident_bytes(link.pid)) <= limit:
            return False
        self.idle.pop(link.serial, None)
        link.is_leaving = True
        self._note(logging.INFO, "child_outgrew child=%s bytes=%d limit=%d", link.name, used, limit)
        return True

    def note_refused(self, error: OSError) -> None:
        """Say, once as long as there are so many, that the system allows no more children."""
        if len(self._links) != self._refused_at:
            self._refused_at = len(self._links)
            wanted = self._settings.children
            text = "child_refused children=%d wanted=%d error=%s"
            self._note(logging.WARNING, text, len(self), wanted, error)

    def _note(self, level: int, text: str, *values: object) -> None:
        self.notes.append((level, text, *values))

    def stay(self) -> None:
        """Let no child end for being idle, until they may leave."""
        self._are_staying = True

    def may_leave(self) -> None:
        """Let idle children end again, each after its whole time from now on."""
        self._are_staying = False
        for link in self.idle.values():
            link.idle_since = time.monotonic()

    def next_idle_end(self) -> float:
        """Return when the child that has been idle for longest is to end."""
        if self._are_staying:
            return FOREVER
        for link in self.idle.values():
            return link.idle_since + self._settings.idle_timeout
        return FOREVER

    def stop_idle(self, now: float) -> None:
        """Tell the children that have been idle for too long to end."""
        while self.next_idle_end() <= now:
            link = next(iter(self.idle.values()))
            self.stop(link)
            self._note(
                logging.INFO, "child_idle child=%s seconds=%g", link.name, now - link.idle_since
            )

    # --- beginning and end

    def start(self) -> ChildLink:
        """Start a child; it is idle, and can be given calls before it is ready.

        Raises:
            OSError: The system has no more descriptors or memory.
        """
        pool_ends, child_ends = open_channel()
        serial = next(self._serials)
        try:
            link = ChildLink(serial, f"{self._settings.name}-{serial}", pool_ends)
        except BaseException:
            pool_ends.close()
            child_ends.close()
            raise
        try:
            setup = self._setup(link)
            link.set_up(setup)
            self._poller.watch(pool_ends.results)
            streams = [] if self._output is None else self._output.open(serial, link.name)
        except BaseException:
            link.close()
            child_ends.close()
            raise
        self._links[serial] = self._by_fd[pool_ends.results] = self.idle[serial] = link
        others = [self._arena.child_fd, *self._settings.hooks.fds, *streams]
        _fork(self._channel, link, child_ends, others, setup_size=len(setup))
        close_all(streams)
        return link

    def stop(self, link: ChildLink) -> None:
        """Tell a child without calls to end."""
        self.idle.pop(link.serial, None)
        link.is_leaving = True
        if link.send_stop():
            link.is_told_to_stop = True
            self._stopped += 1
        else:
            self.kill(link)

    def kill(self, link: ChildLink) -> None:
        """Kill the child and its process group; its death is reported later."""
        self.idle.pop(link.serial, None)
        link.is_leaving = link.is_killed = True
        self._channel.kill(link.serial, signal.SIGKILL)

    def ignore_end(self, link: ChildLink) -> None:
        """Stop watching results that have ended: the death itself is yet to come."""
        if self._by_fd.pop(link.ends.results, None) is not None:
            self._poller.ignore(link.ends.results)

    def remove(self, link: ChildLink) -> None:
        """Forget a child that is dead."""
        self.ignore_end(link)
        self._links.pop(link.serial)
        self._stopped -= link.is_told_to_stop
        self.idle.pop(link.serial, None)
        link.close()
        if self._output is not None:
            self._output.close(link.serial)

    def replace_server(self) -> None:
        """Get another fork server; the kernel has killed all children of the old one."""
        self._poller.ignore(self._channel.fileno())
        self._channel.close()
        self._channel = open_fork_channel()
        self._poller.watch(self._channel.fileno())

    def hang_up(self) -> None:
        """Let the fork server kill what is left, and release the memory."""
        self._channel.close()
        for link in self:
            self.remove(link)
        if self._output is not None:
            self._output.hang_up()
        self._settings.hooks.close()

    def _setup(self, link: ChildLink) -> bytes:
        return dump(
            Setup(
                name=link.name,
                title=child_title(self._settings.name, link.serial),
                env=self._settings.env,
                path=sys.path,
                argv=sys.argv,
                program=os.getpid(),
                folder=self._settings.folder,
                hooks=self._settings.hooks.data,
                log_levels=known_levels() if self._settings.logs else {},
                output_mark=b"" if self._output is None else self._output.mark,
                authkey=_multiprocessing_key(),
            )
        )


def has_room(link: ChildLink, call: Call) -> bool:
    """Whether the child may be given this call now."""
    if link.is_leaving or link.is_stalled:
        return False
    if link.coroutines and len(link.calls) == len(link.coroutines):
        return True
    return not link.calls or may_send_ahead(
        len(link.calls),
        link.held_seconds,
        link.held_bytes,
        seconds=call.function.seconds,
        size=len(call.body),
    )


def _multiprocessing_key() -> bytes:
    # Only a program that has managers pays for importing multiprocessing in its children.
    if "multiprocessing.managers" not in sys.modules:
        return b""
    return bytes(current_process().authkey)


def _fork(
    channel: ForkChannel,
    link: ChildLink,
    ends: ChildEnds,
    others: Sequence[int],
    *,
    setup_size: int,
) -> None:
    try:
        channel.fork(link.serial, [*ends.all(), *others], setup_size=setup_size)
    except OSError:
        # The fork server is gone. The pool reads that from the channel, gets
        # another and buries this child with the rest: its calls were not begun.
        link.is_killed = True
    finally:
        ends.close()
