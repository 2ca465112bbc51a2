"""Crew: the worker processes of the demo: start, kill, replace, stop.

Each is the leader of a process group of its own, so that the terminal's Ctrl-C
reaches the demo alone, which then lets its workers hand back what they hold.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, NamedTuple, Self

from lightwork.cli.demo.attached import Order, program
from lightwork.errors import Error
from lightwork.pool.deaths import describe_exit

_STOP_SECONDS: Final = 5.0
# Workers that end by themselves this often will not get further.
_FAILURES_MAX: Final = 3
# Running or about to, and waiting for the disk; who waits for a job sleeps.
_AT_WORK: Final = {"R", "D"}


class _Process(NamedTuple):
    pid: int
    parent: int
    state: str


@dataclass(slots=True)
class Member:
    """One worker process."""

    name: str
    slots: int
    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def kill(self) -> None:
        """End it with SIGKILL; return when it is dead and reaped."""
        self.process.kill()
        self.process.wait()

    def let_go(self) -> None:
        """Close our ends: if it still works, it stops."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def last_words(self) -> str:
        """Return the last line of its standard error."""
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


@dataclass(slots=True)
class Crew:
    """The workers of this run; a context that leaves none behind."""

    url: str
    slots: list[int]
    members: list[Member] = field(default_factory=list)
    started: int = 0
    failures: int = 0

    def __enter__(self) -> Self:
        try:
            for slots in self.slots:
                self.start(slots)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self, slots: int) -> Member:
        """Start one more worker process."""
        self.started += 1
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the member
        name = f"demo-{self.started}"
        process = subprocess.Popen(
            program(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            process_group=0,
        )
        member = Member(name, slots, process, errors)
        self.members.append(member)
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(Order(self.url, name, slots).line())
            process.stdin.flush()
        return member

    def replace(self, member: Member) -> Member:
        """Start a worker in the place of one that is dead."""
        self._forget(member)
        return self.start(member.slots)

    def replace_dead(self) -> Iterator[tuple[Member, str, Member]]:
        """Replace workers that ended without our doing; yield them, how, and by whom.

        Raises:
            Error: They fail again and again.
        """
        for member in list(self.members):
            status = member.process.poll()
            if status is None:
                continue
            self.failures += status >= 0
            if self.failures >= _FAILURES_MAX:
                raise Error(
                    f"{self.failures} workers could not go on; the last, {member.name} "
                    f"(pid {member.pid}), {describe_exit(status)}: {member.last_words()}"
                )
            yield member, describe_exit(status), self.replace(member)

    def stop(self) -> None:
        """Let all hand back what they hold and end; kill what has not after 5 seconds."""
        with _deaf_to_interrupts():
            for member in self.members:
                member.let_go()
            deadline = time.monotonic() + _STOP_SECONDS
            for member in list(self.members):
                try:
                    member.process.wait(max(deadline - time.monotonic(), 0.0))
                except subprocess.TimeoutExpired:
                    member.kill()
                self._forget(member)

    def _forget(self, member: Member) -> None:
        member.let_go()
        member.errors.close()
        self.members.remove(member)


def share(jobs: int) -> list[int]:
    """Return how many children each worker gets: two workers, if there are two children."""
    return [jobs] if jobs < 2 else [jobs - jobs // 2, jobs // 2]


def children_of(worker: int) -> list[int]:
    """Return the pids of a worker's pool children: those of its fork server."""
    return [process.pid for process in _children_of(worker)]


def busy_children_of(worker: int) -> list[int]:
    """Return those that compute at this moment, in the kernel's eyes."""
    return [process.pid for process in _children_of(worker) if process.state in _AT_WORK]


def kill_child(worker: int, child: int) -> bool:
    """Send SIGKILL to a child of this worker; False: it is gone already."""
    return _signal_child(worker, child, signal.SIGKILL)


def halt_child(worker: int, child: int) -> bool:
    """Let a child stand still in the middle of what it does; False: it is gone already."""
    return _signal_child(worker, child, signal.SIGSTOP)


def go_on_child(worker: int, child: int) -> bool:
    """Let it go on; False: it is gone."""
    return _signal_child(worker, child, signal.SIGCONT)


def _signal_child(worker: int, child: int, number: int) -> bool:
    try:
        handle = os.pidfd_open(child)
    except ProcessLookupError:
        return False
    try:
        # Looked at after it is held: now the number cannot mean another process.
        if child not in children_of(worker):
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def _children_of(worker: int) -> list[_Process]:
    processes = list(_processes())
    servers = {process.pid for process in processes if process.parent == worker}
    return sorted(process for process in processes if process.parent in servers)


def _processes() -> Iterator[_Process]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The name before the parenthesis may hold anything, blanks included.
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
                yield _Process(int(entry.name), int(fields[1]), fields[0].decode())


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
