"""Run: one run of a program in a process group that is killed whatever happens.

The group (process_groups.py) is killed when the run ends in any way: by itself, by a
time-out, by Ctrl-C, or by the death of this process by SIGKILL.

    this process ──stdin, stdout, stderr──> program and what it starts

A program that leaves its group (setsid) is out of reach.

When is a run over? When the program has ended and every captured output has:
a program that it started and that still holds such a pipe is waited for, as
subprocess does. Output that goes elsewhere is not waited for.
"""

import os
import re
import selectors
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Final, Literal

from lightwork.clock import monotonic
from lightwork.command.process_groups import Group, Groups, new_group
from lightwork.pool.call.current import is_call_cancelled, report_progress

# Seconds between SIGTERM and SIGKILL.
GRACE: Final = 2.0
# How much of each output is kept: the first and the last half of it.
LIMIT: Final = 16 << 20
# How often a waiting call looks whether it was cancelled, in seconds.
GLANCE: Final = 0.2
BLOCK: Final = 1 << 16
# So much of a line is reported as progress.
LINE_SHOWN: Final = 1000

# For three descriptors poll is quicker than epoll, and takes no descriptor itself.
_Selector: Final = getattr(selectors, "PollSelector", selectors.SelectSelector)

Ending = Literal["ended", "timed out", "cancelled"]
# What subprocess.Popen accepts: PIPE is captured.
Target = int | IO[bytes] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to run, and how.

    Attributes:
        argv: Program and arguments.
        cwd: Directory to run in; "" means this process's.
        env: The whole environment; None means this process's.
        data: Given to the program as standard input; if empty, that is empty.
        stdout: Where standard output goes; PIPE is captured.
        stderr: Where standard error goes; PIPE is captured.
        timeout: Seconds until it is ended; 0 means no limit.
        reports_lines: Whether captured lines are reported as the call's progress.
    """

    argv: Sequence[str]
    cwd: str | os.PathLike[str]
    env: Mapping[str, str] | None
    data: bytes
    stdout: Target
    stderr: Target
    timeout: float
    reports_lines: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a run ended; outputs that were not captured are None."""

    ending: Ending
    status: int
    stdout: bytes | None
    stderr: bytes | None


def run_program(launch: Launch, groups: Groups | None = None) -> Run:
    """Run a program to its end, in a group of its own or one that is lent.

    Raises:
        OSError: It cannot be started.
    """
    if groups is None:
        with new_group() as group:
            return _run_in(group, launch, ())
    with groups.lend() as (group, tether):
        return _run_in(group, launch, (tether,))


def _run_in(group: Group, launch: Launch, inherited: tuple[int, ...]) -> Run:
    with (
        _started(launch, group, inherited) as program,
        closing(_Exchange(program, launch)) as exchange,
    ):
        ending = exchange.run(launch.timeout)
        if ending != "ended":
            _terminate(group, exchange)
    stdout, stderr = exchange.outputs()
    return Run(ending=ending, status=program.returncode, stdout=stdout, stderr=stderr)


class _Kept:
    """One output: its first and last bytes, in bounded memory."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._missing = 0

    def add(self, data: bytes) -> None:
        room = LIMIT // 2 - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        # Trimmed now and then: moving the tail for each block costs more than reading it.
        if len(self._tail) > LIMIT // 2 + 16 * BLOCK:
            self._trim()

    def value(self) -> bytes:
        self._trim()
        if not self._missing:
            return bytes(self._head + self._tail)
        note = f"\n[... {self._missing} bytes left out by lightwork ...]\n".encode()
        return bytes(self._head + note + self._tail)

    def _trim(self) -> None:
        if (extra := len(self._tail) - LIMIT // 2) > 0:
            self._missing += extra
            del self._tail[:extra]


class LineReport:
    """Reports the lines of a program's outputs: how many there were, and the last one.

    At most one report a block that was read: a flood of lines is not a flood of
    reports. A carriage return ends a line too: programs draw their progress with it.
    """

    def __init__(self, report: Callable[[float, float, str], None]) -> None:
        self._report = report
        self._rests: dict[int, bytes] = {}
        self._count = 0

    def add(self, stream: int, data: bytes) -> None:
        """Take what a stream said next."""
        *lines, rest = re.split(rb"[\r\n]+", self._rests.get(stream, b"") + data)
        # Bounded: a program may never end its line.
        self._rests[stream] = rest[:LINE_SHOWN]
        if lines := [line for line in lines if line.strip()]:
            self._count += len(lines)
            text = lines[-1][:LINE_SHOWN].decode(errors="replace")
            self._report(self._count, 0, text.strip())


class _Exchange:
    """Moves input and output between this process and the program."""

    def __init__(self, program: subprocess.Popen[bytes], launch: Launch) -> None:
        self._program = program
        self._input = memoryview(launch.data)
        self._lines = LineReport(report_progress) if launch.reports_lines else None
        self._selector = _Selector()
        self._streams = (program.stdout, program.stderr)
        self._kept: dict[IO[bytes], _Kept] = {}
        for stream in self._streams:
            if stream is not None:
                self._kept[stream] = _Kept()
                self._register(stream, selectors.EVENT_READ)
        if program.stdin is not None:
            self._register(program.stdin, selectors.EVENT_WRITE)

    def _register(self, stream: IO[bytes], event: int) -> None:
        os.set_blocking(stream.fileno(), False)
        self._selector.register(stream, event)

    def outputs(self) -> list[bytes | None]:
        return [None if stream is None else self._kept[stream].value() for stream in self._streams]

    def run(self, timeout: float) -> Ending:
        """Exchange until the program ends, its time is up, or nobody wants it any more."""
        deadline = monotonic() + timeout if timeout else float("inf")
        while (left := deadline - monotonic()) > 0:
            if self.is_over(min(left, GLANCE)):
                return "ended"
            if is_call_cancelled():
                return "cancelled"
        return "timed out"

    def is_over(self, patience: float) -> bool:
        """Do what can be done within some seconds; return whether the program has ended."""
        if not self._selector.get_map():
            return _has_ended(self._program, patience)
        for key, _ in self._selector.select(patience):
            if key.events & selectors.EVENT_READ:
                self._read(key)
            else:
                self._write(key)
        return False

    def _read(self, key: selectors.SelectorKey) -> None:
        with suppress(BlockingIOError):
            if not (data := os.read(key.fd, BLOCK)):
                self._close(key)
                return
            self._kept[key.fileobj].add(data)  # type: ignore[index]  # only streams are registered
            if self._lines is not None:
                self._lines.add(key.fd, data)

    def _write(self, key: selectors.SelectorKey) -> None:
        try:
            self._input = self._input[os.write(key.fd, self._input[:BLOCK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._input = self._input[:0]  # It does not want the rest.
        if not self._input:
            self._close(key)

    def _close(self, key: selectors.SelectorKey) -> None:
        self._selector.unregister(key.fileobj)
        key.fileobj.close()  # type: ignore[union-attr]

    def close(self) -> None:
        for key in list(self._selector.get_map().values()):
            self._close(key)
        self._selector.close()


def _has_ended(program: subprocess.Popen[bytes], patience: float) -> bool:
    # Popen.wait(timeout) sleeps in growing steps of up to 50 ms; this wakes up at the end.
    if hasattr(os, "pidfd_open") and program.poll() is None:
        handle = os.pidfd_open(program.pid)
        try:
            with _Selector() as selector:
                selector.register(handle, selectors.EVENT_READ)
                selector.select(patience)
        finally:
            os.close(handle)
        return program.poll() is not None
    with suppress(subprocess.TimeoutExpired):
        program.wait(patience)
    return program.returncode is not None


@contextmanager
def _started(
    launch: Launch, group: Group, inherited: tuple[int, ...]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the program in the group; end it and close its pipes at the end."""
    program = subprocess.Popen(
        launch.argv,
        stdin=subprocess.PIPE if launch.data else subprocess.DEVNULL,
        stdout=launch.stdout,
        stderr=launch.stderr,
        bufsize=0,
        cwd=launch.cwd or None,
        env=launch.env,
        pass_fds=inherited,
        process_group=group.number,
    )
    try:
        yield program
    finally:
        if program.poll() is None:
            group.is_spent = True
            group.signal(signal.SIGKILL)
        for stream in (program.stdin, program.stdout, program.stderr):
            if stream is not None:
                stream.close()
        program.wait()


def _terminate(group: Group, exchange: _Exchange) -> None:
    """End the group politely, and read what it says about that."""
    group.is_spent = True
    group.signal(signal.SIGTERM)
    deadline = monotonic() + GRACE
    while (left := deadline - monotonic()) > 0 and not exchange.is_over(left):
        pass
