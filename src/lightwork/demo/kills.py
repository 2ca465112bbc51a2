"""Kills: one child and one whole worker, each in the middle of its work.

Jobs here take milliseconds. What is killed between two of them loses nothing, and a job
that had not begun is just run elsewhere, which shows nothing. So all children are halted
first, and one is chosen of which the store knows that it is in the middle of a job.
Which children a worker has is read from /proc: lightwork need not say whom to kill.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from lightwork.clock import monotonic
from lightwork.demo.ledger import Snapshot
from lightwork.demo.log_lines import Chronicle, Kind, say_jobs
from lightwork.demo.workers import Member, Workers

# Shares of this run's jobs after which the kills are due.
_CHILD_AT: Final = 1 / 3
_WORKER_AT: Final = 1 / 2
# A worker tells the store ten times a second what has begun.
_CATCH_SECONDS: Final = 0.5
_CATCH_PAUSE: Final = 0.05


class _Process(NamedTuple):
    pid: int
    parent: int
    is_busy: bool


class Kills:
    """Looks at each snapshot, kills when it is time, and has the chronicle tell it."""

    def __init__(
        self, workers: Workers, chronicle: Chronicle, look_again: Callable[[], Snapshot]
    ) -> None:
        self._workers = workers
        self._chronicle = chronicle
        self._look_again = look_again
        self._left = [
            (_CHILD_AT, "a child", self._kill_child),
            (_WORKER_AT, "a worker", self._kill_worker),
        ]

    def look(self, now: Snapshot) -> None:
        """Do what is due now."""
        if not self._left:
            return
        share, _, kill = self._left[0]
        if self._chronicle.share_done(now) < share:
            return
        halted = [(member, _halt(member)) for member in self._workers.members]
        if chosen := self._choose(halted):
            kill(*chosen)
            del self._left[0]
        for member, children in halted:
            for child in children:
                _signal_child(member, child.pid, signal.SIGCONT)

    def say_missed(self) -> None:
        """When all is done: say whom there was no chance to kill."""
        if self._left:
            whom = " and ".join(name for _, name, _ in self._left)
            text = f"all was done before {whom} could be killed at work: too few jobs"
            self._chronicle.add(Kind.PLAIN, text)

    def _choose(self, halted: list[tuple[Member, list[_Process]]]) -> tuple[Member, int] | None:
        """Return a worker and its child, which is in the middle of a job; None: nobody is."""
        busy = [
            (member, pids)
            for member, children in halted
            if (pids := [child.pid for child in children if child.is_busy])
        ]
        until = monotonic() + _CATCH_SECONDS
        while busy and monotonic() < until:
            # First: what they have just done must be recorded.
            time.sleep(_CATCH_PAUSE)
            now = self._look_again()
            for member, pids in busy:
                worker = now.find_worker(member.name, member.pid)
                if worker and now.begun.get(worker, 0) >= len(pids):
                    return member, pids[0]
        return None

    def _kill_child(self, worker: Member, child: int) -> None:
        _signal_child(worker, child, signal.SIGKILL)
        self._chronicle.add(Kind.KILL, f"killed child {child} of {worker.name} (SIGKILL)")

    def _kill_worker(self, worker: Member, _child: int) -> None:
        worker.kill()
        worker.wait()
        # It is dead: what the store says now that it holds, it holds until it is rescued.
        now = self._look_again()
        known = now.find_worker(worker.name, worker.pid)
        held = now.running.get(known, []) if known else []
        self._chronicle.add(
            Kind.KILL,
            f"killed worker {worker.name} (pid {worker.pid}, SIGKILL) with its children; "
            f"it held {say_jobs(held)}",
        )
        self._chronicle.add(Kind.PLAIN, self._workers.replace(worker))


def _halt(worker: Member) -> list[_Process]:
    """Halt the children of a worker; return those that were there, as they were."""
    return [
        child for child in _children(worker) if _signal_child(worker, child.pid, signal.SIGSTOP)
    ]


def _signal_child(worker: Member, child: int, number: signal.Signals) -> bool:
    """Send a signal to a child of this worker; False: it is gone already."""
    with contextlib.ExitStack() as undo, contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(child)
        undo.callback(os.close, handle)
        # Looked at after it is held: now the number cannot mean another process.
        if any(process.pid == child for process in _children(worker)):
            signal.pidfd_send_signal(handle, number)
            return True
    return False


def _children(worker: Member) -> list[_Process]:
    """Return those that run its jobs: the children of its fork server."""
    processes = list(_processes())
    servers = {process.pid for process in processes if process.parent == worker.pid}
    return [process for process in processes if process.parent in servers]


def _processes() -> Iterator[_Process]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name before the parenthesis may hold anything, blanks included.
            state, parent, *_ = path.read_bytes().rpartition(b")")[2].split()
            # Running or about to, or waiting for the disk; who waits for a job sleeps.
            yield _Process(int(path.parent.name), int(parent), state in {b"R", b"D"})
