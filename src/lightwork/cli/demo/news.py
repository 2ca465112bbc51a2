"""News: what happened, in words; nothing that the store or the kernel did not tell.

The chronicle compares each snapshot with what it knows and tells what is new:
attempts that were lost, and the outcome that their jobs have in the end.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lightwork.cli.demo.ledger import LostAttempt, Snapshot
from lightwork.cli.demo.tasks import measure
from lightwork.clock import monotonic

_NAMED: Final = 3


class Tone(StrEnum):
    """How a line of news is shown."""

    PLAIN = "plain"
    KILL = "kill"
    LOSS = "loss"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class News:
    """One event; `at` is in seconds since the run began."""

    at: float
    tone: Tone
    text: str


class Chronicle:
    """Collects the news of one run and passes each on.

    Args:
        known: Attempts that were lost before this run are no news.
        tell: Called with each event.
    """

    def __init__(self, known: Snapshot, tell: Callable[[News], None]) -> None:
        self.news: list[News] = []
        self._started = monotonic()
        self._known = {lost.key for lost in known.lost}
        # Lost together, waiting for their outcomes.
        self._open: list[set[tuple[uuid.UUID, int]]] = []
        self._tell = tell

    @property
    def seconds(self) -> float:
        """How long the run has been going on."""
        return monotonic() - self._started

    def add(self, tone: Tone, text: str) -> None:
        """Tell that something happened now."""
        self.news.append(News(self.seconds, tone, text))
        self._tell(self.news[-1])

    def new_losses(self, snapshot: Snapshot) -> list[LostAttempt]:
        """Return the attempts that were lost since the last update."""
        return [lost for lost in snapshot.lost if lost.key not in self._known]

    def update(self, snapshot: Snapshot) -> None:
        """Tell what is new in the store."""
        losses = self.new_losses(snapshot)
        for lost in losses:
            if not lost.is_rescue:
                self._open.append({lost.key})
                self.add(Tone.LOSS, _loss_text(lost))
        rescued = [lost for lost in losses if lost.is_rescue]
        for worker in dict.fromkeys(lost.worker for lost in rescued):
            group = [lost for lost in rescued if lost.worker == worker]
            self._open.append({lost.key for lost in group})
            self.add(Tone.LOSS, _rescue_text(group, snapshot))
        self._known.update(lost.key for lost in losses)
        self._tell_outcomes(snapshot)

    def _tell_outcomes(self, snapshot: Snapshot) -> None:
        still_open = []
        for keys in self._open:
            group = [lost for lost in snapshot.lost if lost.key in keys]
            if all(lost.state.is_final for lost in group):
                self.add(Tone.GOOD, _outcome_text(group))
            else:
                still_open.append(keys)
        self._open = still_open


def _loss_text(lost: LostAttempt) -> str:
    return (
        f"attempt {lost.number} of {lost.file} was lost with its child: crash {lost.crashes} of "
        f"{measure.policy.max_crashes}, it may run again"
    )


def _rescue_text(group: list[LostAttempt], snapshot: Snapshot) -> str:
    worker = snapshot.workers.get(group[0].worker) if group[0].worker else None
    jobs = say_jobs([lost.file for lost in group])
    if worker is None:
        return f"a worker was found dead; rescued: {jobs}"
    silent = group[0].ended_at / 1000 - worker.heartbeat_at.timestamp()
    return (
        f"{worker.name} (pid {worker.pid}) was found dead, {silent:.1f} s after its last "
        f"heartbeat; rescued: {jobs}"
    )


def _outcome_text(group: list[LostAttempt]) -> str:
    attempts = sorted({lost.attempt for lost in group})
    words = f"attempt {attempts[0]}" if len(attempts) == 1 else f"attempts {_range(attempts)}"
    if len(group) == 1:
        return f"{group[0].file} {group[0].state} in {words}"
    return f"each of the {len(group)} rescued jobs has its outcome, in {words}"


def _range(numbers: list[int]) -> str:
    return f"{numbers[0]} to {numbers[-1]}"


def say_jobs(files: Sequence[str]) -> str:
    """Say how many jobs these are, and name some."""
    if not files:
        return "no job"
    more = len(files) - _NAMED
    # In one order, whoever says it: what a worker held is what was rescued.
    names = ", ".join(sorted(files)[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{len(files)} {'job' if len(files) == 1 else 'jobs'} ({names})"
