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
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from lightwork.pool.call.options import ASYNC_CALLS
from lightwork.pool.link.channel import open_channel
from lightwork.pool.link.child_name import DEFAULT_NAME, child_title
from lightwork.pool.link.child_state import ARE_LEAVING, CAN_BE_STOPPED, ChildEvent, ChildState
from lightwork.pool.link.fork_client import Born, Exited, Refused, open_fork_channel
from lightwork.pool.link.launch import importable
from lightwork.pool.link.link import ChildLink
from lightwork.pool.link.log_receiver import known_levels
from lightwork.pool.link.poller import FOREVER, Poller
from lightwork.pool.link.process_call import ProcessCall
from lightwork.pool.link.rss import resident_bytes
from lightwork.pool.memory.argument_arena import Arena
from lightwork.pool.wire.frames import Setup
from lightwork.pool.wire.pickling import dump
from lightwork.pool.wire.spawn_args import Inheritance

if TYPE_CHECKING:
    from lightwork.pool.link.output_reader import Listener, OutputReader

# After the system refused a child, as long no other one is asked for.
_REFUSED_SECONDS: Final = 0.1


class PoolSettings(NamedTuple):
    """What a pool is made of; keywords only."""

    children: int
    # What children find in os.environ: all of it, because the fork server may be as old as the
    # program and its environment too.
    env: dict[str, str]
    # Where they begin; "": where their fork server is.
    folder: str
    # Of Hooks, or empty.
    hooks: Inheritance
    name: str = DEFAULT_NAME
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
    output: "Listener | None" = None


class Children:
    """All children of a pool."""

    def __init__(self, settings: PoolSettings, poller: Poller, arena: Arena) -> None:
        self._settings = settings
        self._arena = arena
        self._poller = poller
        self._serials = count(1)
        self._channel = open_fork_channel()
        try:
            poller.watch(self._channel.fileno())
            self._output = None if settings.output is None else _output_reader(settings.output)
            if self._output is not None:
                poller.watch(self._output.fileno())
        except BaseException:
            self._channel.close()
            raise
        self._links: dict[int, ChildLink] = {}
        self._by_fd: dict[int, ChildLink] = {}
        # Without calls, the longest idle first; read without the lock as a hint.
        self.idle: dict[int, ChildLink] = {}
        self._idle_since: dict[int, float] = {}
        # What is to be logged when nobody holds the lock.
        self.notes: deque[tuple[int, str, *tuple[object, ...]]] = deque()
        # Places beside those of the settings.
        self._lent = 0
        # How many children there were when the system refused another one; -1: it never did.
        self._refused_at = -1
        self._start_again_at = 0.0
        self._are_staying = False
        # Those that were told to stop and have not ended.
        self._stopped: set[int] = set()

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

    def holder(self, call: ProcessCall) -> ChildLink | None:
        """Return the child that holds the call, if one does; may be asked without the lock."""
        return self._links.get(call.child)

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

    @property
    def async_calls(self) -> int:
        """How many coroutine calls one child may run at a time."""
        return self._settings.async_calls

    @property
    def places(self) -> int:
        """How many more children there may be; a hint where the lock is not held."""
        return self._settings.children + self._lent - len(self._links) + len(self._stopped)

    def lend(self, places: int) -> None:
        """Have so many more places; children that are too many then end once they are free."""
        self._lent = places
        while self.places < 0 and self.idle:
            self.stop(self.last_idle())

    def last_idle(self) -> ChildLink:
        """Return the last to become idle, whose memory is warm; there must be one."""
        return self.idle[next(reversed(self.idle))]

    def note_given(self, link: ChildLink) -> None:
        """The child was given a call."""
        self.idle.pop(link.serial, None)
        if link.held.sent_total == self._settings.calls_per_child:
            link.note(ChildEvent.RETIRED)

    def note_free(self, link: ChildLink) -> None:
        """The child has answered all its calls, or they were taken back."""
        if link.takes_calls and self.places < 0:
            # A place was lent, and whose it was goes on.
            self.stop(link)
        elif link.takes_calls:
            if link.serial not in self.idle:
                self._note_idle(link)
        elif link.state in ARE_LEAVING:
            self.stop(link)

    def _note_idle(self, link: ChildLink) -> None:
        self.idle[link.serial] = link
        self._idle_since[link.serial] = time.monotonic()

    def are_ready(self) -> bool:
        """Whether no child is still starting, or killed and yet to be replaced."""
        done = (ChildState.READY, ChildState.LEAVING, ChildState.STOPPING)
        # A child may say that it is ready before the fork server has said who it is.
        return all(link.state in done and link.pid for link in self)

    def next_start(self) -> float:
        """Return from when on another child may be started."""
        return self._start_again_at if self.places > 0 else FOREVER

    def is_refused(self) -> bool:
        """Whether the system has just refused a child."""
        return time.monotonic() < self._start_again_at

    # --- who goes although nothing is wrong

    def outgrew(self, link: ChildLink) -> bool:
        """Whether the child holds more memory than it may keep; it then gets no more calls."""
        limit = self._settings.memory_per_child
        if not limit or link.state is not ChildState.READY:
            return False
        if (used := resident_bytes(link.pid)) <= limit:
            return False
        self.retire(link)
        self._note(logging.INFO, "child_outgrew child=%s bytes=%d limit=%d", link.name, used, limit)
        return True

    def retire(self, link: ChildLink) -> bool:
        """Give a child no more calls; False: it gets none anyway."""
        if link.state is not ChildState.READY:
            return False
        self.idle.pop(link.serial, None)
        link.note(ChildEvent.RETIRED)
        return True

    def note_refused(self, error: OSError) -> None:
        """Ask for none for a moment; say once, while there are so many, that there are no more."""
        self._start_again_at = time.monotonic() + _REFUSED_SECONDS
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
        for serial in self.idle:
            self._idle_since[serial] = time.monotonic()

    def next_idle_end(self) -> float:
        """Return when the child that has been idle for longest is to end."""
        if self._are_staying:
            return FOREVER
        for serial in self.idle:
            return self._idle_since[serial] + self._settings.idle_timeout
        return FOREVER

    def stop_idle(self, now: float) -> None:
        """Tell the children that have been idle for too long to end."""
        while self.next_idle_end() <= now:
            link = next(iter(self.idle.values()))
            self.stop(link)
            seconds = now - self._idle_since[link.serial]
            self._note(logging.INFO, "child_idle child=%s seconds=%g", link.name, seconds)

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
            self._poller.watch(link.fileno())
            streams = [] if self._output is None else self._output.open(serial, link.name)
        except BaseException:
            link.close()
            child_ends.close()
            raise
        self._links[serial] = self._by_fd[link.fileno()] = link
        self._note_idle(link)
        others = [self._arena.child_fd, *self._settings.hooks.fds, *streams]
        try:
            fds = [*child_ends.all(), *others]
            self._channel.fork(serial, fds, setup_size=len(setup))
        except OSError:
            # The fork server is gone. The pool reads that from the channel, gets
            # another and buries this child with the rest.
            self._note_killed(link)
        finally:
            child_ends.close()
        for fd in streams:
            os.close(fd)
        return link

    def stop(self, link: ChildLink) -> None:
        """Tell a child without calls to end."""
        self.idle.pop(link.serial, None)
        if link.send_stop():
            self._stopped.add(link.serial)
        else:
            self.kill(link)

    def stop_free(self) -> None:
        """Tell every child without calls to end."""
        for link in self:
            if not link.held.calls and link.state in CAN_BE_STOPPED:
                self.stop(link)

    def kill(self, link: ChildLink) -> None:
        """Kill the child and its process group; its death is reported later."""
        self._note_killed(link)
        self._channel.kill(link.serial, signal.SIGKILL)

    def _note_killed(self, link: ChildLink) -> None:
        self.idle.pop(link.serial, None)
        link.note(ChildEvent.KILLED)

    def ignore_end(self, link: ChildLink) -> None:
        """Stop watching results that have ended: the death itself is yet to come."""
        if self._by_fd.pop(link.fileno(), None) is not None:
            self._poller.ignore(link.fileno())

    def remove(self, link: ChildLink) -> None:
        """Forget a child that is dead."""
        self.ignore_end(link)
        self._links.pop(link.serial)
        self._stopped.discard(link.serial)
        self.idle.pop(link.serial, None)
        self._idle_since.pop(link.serial, None)
        link.close()
        if self._output is not None:
            self._output.close(link.serial)

    def replace_server(self) -> None:
        """Get another fork server; the kernel has killed all children of the old one."""
        self._poller.ignore(self._channel.fileno())
        self._channel.close()
        self._channel = open_fork_channel()
        self._poller.watch(self._channel.fileno())
        for link in self:
            self._note_killed(link)

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
                path=importable(),
                argv=sys.argv,
                program=os.getpid(),
                folder=self._settings.folder,
                hooks=self._settings.hooks.data,
                log_levels=known_levels() if self._settings.logs else {},
                output_mark=b"" if self._output is None else self._output.mark,
                authkey=_multiprocessing_key(),
            )
        )


def _output_reader(listener: "Listener") -> "OutputReader":
    # 2 ms to import, and most children write where the program does.
    from lightwork.pool.link.output_reader import OutputReader  # noqa: PLC0415 - see above

    return OutputReader(listener)


def _multiprocessing_key() -> bytes:
    # Only a program that has managers pays for importing multiprocessing, here and in its children.
    if "multiprocessing.managers" not in sys.modules:
        return b""
    return bytes(sys.modules["multiprocessing.process"].current_process().authkey)
