"""Mischief: kills one child and one whole worker, in the middle of their work.

A kill counts only if it hit: the store must show a lost attempt, or a job that the
dead worker had begun. A child that is killed between two jobs loses nothing; that is
said, and another is killed. The worker's children are halted first, in a job.

    CHILD ──▶ CHILD_HIT? ──▶ WORKER ──▶ DONE
      ▲           │ missed
      └───────────┘
"""

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from lightwork.cli.demo.crew import (
    Crew,
    Member,
    busy_children_of,
    go_on_child,
    halt_child,
    kill_child,
)
from lightwork.cli.demo.ledger import LostAttempt, Snapshot
from lightwork.cli.demo.news import Chronicle, Tone, say_jobs
from lightwork.clock import monotonic

# Shares of this run's jobs after which the kills are due.
_CHILD_AT: Final = 1 / 3
_WORKER_AT: Final = 1 / 2
_TRIES: Final = 5
# A worker tells the store ten times a second what has begun.
_CATCH_SECONDS: Final = 1.0
_CATCH_PAUSE: Final = 0.02


class Stage(Enum):
    """What is to be done next."""

    CHILD = auto()
    CHILD_HIT = auto()
    WORKER = auto()
    DONE = auto()


@dataclass(frozen=True, slots=True)
class _Hit:
    """A child that was killed, and what its worker held right after."""

    pid: int
    worker: uuid.UUID | None
    held: frozenset[str]

    def explains(self, lost: LostAttempt) -> bool:
        """Whether this attempt died with the child: the store keeps the pid."""
        return f"(pid {self.pid})" in lost.text

    def is_settled(self, now: Snapshot) -> bool:
        """Whether each of those jobs has gone on: had one been hit, the store would show it."""
        return self.worker is None or self.held.isdisjoint(now.running.get(self.worker, ()))


class Mischief:
    """Looks at each snapshot and kills when it is time."""

    def __init__(
        self,
        crew: Crew,
        chronicle: Chronicle,
        first: Snapshot,
        look_again: Callable[[], Snapshot],
    ) -> None:
        self._crew = crew
        self._look_again = look_again
        self._chronicle = chronicle
        self._first = first
        self._stage = Stage.CHILD
        self._tries = 0
        self._hit = _Hit(0, None, frozenset())

    def look(self, snapshot: Snapshot) -> None:
        """Do what is due now; called before the chronicle is updated."""
        share = share_done(self._first, snapshot)
        if self._stage is Stage.CHILD and share >= _CHILD_AT:
            self._kill_child(snapshot)
        elif self._stage is Stage.CHILD_HIT:
            self._look_for_hit(snapshot)
        elif self._stage is Stage.WORKER and share >= _WORKER_AT:
            self._kill_worker(snapshot)

    def say_missed(self) -> None:
        """When all is done: say whom there was no chance to kill."""
        if self._stage is not Stage.DONE:
            whom = "a worker" if self._stage is Stage.WORKER else "a child and a worker"
            self._chronicle.add(
                Tone.PLAIN, f"all was done before {whom} could be killed at work: too few jobs"
            )

    def _kill_child(self, snapshot: Snapshot) -> None:
        victim = self._busiest(snapshot)
        children = busy_children_of(victim.pid) if victim else []
        if victim is None or not children:
            return
        child = random.choice(children)
        if not kill_child(victim.pid, child):
            return
        self._tries += 1
        after = self._look_again()
        worker = after.find_worker(victim.name, victim.pid)
        self._hit = _Hit(child, worker.id if worker else None, frozenset(after.held_by(worker)))
        self._stage = Stage.CHILD_HIT
        self._chronicle.add(Tone.KILL, f"killed child {child} of {victim.name} (SIGKILL)")

    def _look_for_hit(self, snapshot: Snapshot) -> None:
        if any(self._hit.explains(lost) for lost in self._chronicle.new_losses(snapshot)):
            self._next(Stage.WORKER)
        elif self._hit.is_settled(snapshot):
            again = self._tries < _TRIES
            words = "; another is next" if again else ""
            self._chronicle.add(
                Tone.PLAIN, f"child {self._hit.pid} was between two jobs: nothing lost{words}"
            )
            self._next(Stage.CHILD if again else Stage.WORKER, tries=self._tries if again else 0)

    def _kill_worker(self, snapshot: Snapshot) -> None:
        victim = self._busiest(snapshot)
        if victim is None or not self._is_caught(victim):
            return
        victim.kill()
        # It is dead: what the store says now that it holds, it holds until it is rescued.
        after = self._look_again()
        held = after.held_by(after.find_worker(victim.name, victim.pid))
        self._chronicle.add(
            Tone.KILL,
            f"killed worker {victim.name} (pid {victim.pid}, SIGKILL) with its children; "
            f"it held {say_jobs(held)}",
        )
        replacement = self._crew.replace(victim)
        self._chronicle.add(
            Tone.PLAIN, f"started {replacement.name} (pid {replacement.pid}) in its place"
        )
        self._next(Stage.DONE)

    def _is_caught(self, victim: Member) -> bool:
        """Halt the worker's children; whether one is in the middle of a job, as the store knows.

        Jobs here take milliseconds. One that had not begun when its worker was killed would
        just be run elsewhere, which shows nothing.
        """
        self._tries += 1
        stopped = [child for child in busy_children_of(victim.pid) if halt_child(victim.pid, child)]
        until = monotonic() + _CATCH_SECONDS
        while stopped and monotonic() < until:
            now = self._look_again()
            worker = now.find_worker(victim.name, victim.pid)
            if worker is not None and worker.id in now.at_work:
                return True
            time.sleep(_CATCH_PAUSE)
        for child in stopped:
            go_on_child(victim.pid, child)
        return self._tries >= _TRIES

    def _busiest(self, snapshot: Snapshot) -> Member | None:
        held = [
            (len(snapshot.held_by(snapshot.find_worker(member.name, member.pid))), member)
            for member in self._crew.members
        ]
        count, member = max(held, key=lambda pair: pair[0], default=(0, None))
        return member if count else None

    def _next(self, stage: Stage, *, tries: int = 0) -> None:
        self._stage, self._tries = stage, tries


def share_done(first: Snapshot, now: Snapshot) -> float:
    """Return which share of what this run had to do is done."""
    return (now.done - first.done) / max(first.total - first.done, 1)
