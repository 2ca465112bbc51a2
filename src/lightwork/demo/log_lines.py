"""Log lines: what happened, in words; nothing that the store or the kernel did not tell.

The chronicle compares each snapshot with what it knows and tells what is new:
attempts that were lost, and the outcome that their jobs have in the end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from lightwork.clock import monotonic
from lightwork.demo.ledger import LostAttempt, Snapshot
from lightwork.demo.tasks import measure
from lightwork.terminal.amounts import show_count

_NAMED: Final = 3


class Kind(StrEnum):
    """What sort of news, which says how it is shown."""

    PLAIN = "plain"
    KILL = "kill"
    LOSS = "loss"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class News:
    """One event; `at` is in seconds since the run began."""

    at: float
    kind: Kind
    text: str


class Chronicle:
    """Collects the news of one run and tells each; what was lost before `first` is no news."""

    def __init__(self, first: Snapshot, tell: Callable[[News], None]) -> None:
        self.first = first
        self.news: list[News] = []
        self._started = monotonic()
        self._known = {lost.key for lost in first.lost}
        # Lost together, waiting for their outcomes.
        self._open: list[set[tuple[UUID, int]]] = []
        self._tell = tell

    @property
    def seconds(self) -> float:
        """How long the run has been going on."""
        return monotonic() - self._started

    def rate(self, now: Snapshot) -> float:
        """Return how many jobs this run has done in a second."""
        return (now.done - self.first.done) / self.seconds

    def share_done(self, now: Snapshot) -> float:
        """Return which share of what this run had to do is done."""
        return (now.done - self.first.done) / max(self.first.total - self.first.done, 1)

    def add(self, kind: Kind, text: str) -> None:
        """Tell that something happened now."""
        self.news.append(News(round(self.seconds, 3), kind, text))
        self._tell(self.news[-1])

    def update(self, snapshot: Snapshot) -> None:
        """Tell what is new in the store."""
        together: dict[object, list[LostAttempt]] = {}
        for lost in snapshot.lost:
            if lost.key not in self._known:
                together.setdefault(lost.worker if lost.is_rescue else lost.key, []).append(lost)
        for group in together.values():
            self.add(Kind.LOSS, _loss_text(group, snapshot))
            self._open.append({lost.key for lost in group})
            self._known |= self._open[-1]
        for keys in list(self._open):
            group = [lost for lost in snapshot.lost if lost.key in keys]
            if all(lost.state.is_final for lost in group):
                self.add(Kind.GOOD, _outcome_text(group))
                self._open.remove(keys)


def _loss_text(group: list[LostAttempt], snapshot: Snapshot) -> str:
    lost = group[0]
    if not lost.is_rescue:
        return (
            f"attempt {lost.number} of {lost.file} was lost with its child: crash {lost.crashes} "
            f"of {measure.policy.max_crashes}, it may run again"
        )
    jobs = say_jobs([one.file for one in group])
    worker = snapshot.workers.get(lost.worker) if lost.worker else None
    if worker is None:
        return f"a worker was found dead; rescued: {jobs}"
    silent = lost.ended_at / 1000 - worker.heartbeat_at.timestamp()
    return (
        f"{worker.name} (pid {worker.pid}) was found dead, {silent:.1f} s after its last "
        f"heartbeat; rescued: {jobs}"
    )


def _outcome_text(group: list[LostAttempt]) -> str:
    first, last = (choose(lost.attempt for lost in group) for choose in (min, max))
    words = f"attempt {first}" if first == last else f"attempts {first} to {last}"
    if len(group) == 1:
        return f"{group[0].file} {group[0].state} in {words}"
    return f"each of the {len(group)} rescued jobs has its outcome, in {words}"


def say_jobs(files: Sequence[str]) -> str:
    """Say how many jobs these are, and name some."""
    if not files:
        return "no job"
    more = len(files) - _NAMED
    # In one order, whoever says it: what a worker held is what was rescued.
    names = ", ".join(sorted(files)[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{show_count(len(files), 'job')} ({names})"
