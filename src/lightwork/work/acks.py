"""Acks: what a worker has to tell the store about its attempts, until that is recorded.

Ends, which attempts have begun, and the last progress of those that end go out together, one
transaction for all that has come up meanwhile. While the store is out of reach everything is
kept and sent again; what it refuses is no longer ours, and dropped.
"""

import uuid
from collections.abc import Callable, Sequence
from typing import Final

from lightwork.error_info import describe_error
from lightwork.lifecycle import AttemptEnd, Failed
from lightwork.model import Attempt, Progress
from lightwork.store.contract import Store
from lightwork.work.flight.ending import Ran
from lightwork.work.in_flight import InFlight
from lightwork.work.news.telling import Telling

Ends = list[tuple[Attempt, AttemptEnd]]
# So many take milliseconds, a claim about as long. Single ones never wait for another's.
MANY: Final = 100


class Acks:
    """Used by a worker's loop only.

    Args:
        store: Where they are recorded.
        on_ending: Called with ends before they are recorded.
        on_recorded: Called with the ends that the store has accepted.
        telling: Tells whoever wants to know.
    """

    def __init__(
        self,
        store: Store,
        on_ending: Callable[[Ends], None] | None,
        on_recorded: Callable[[Ends], None],
        telling: Telling,
    ) -> None:
        self._store = store
        self._on_ending = on_ending
        self._on_recorded = on_recorded
        self._telling = telling
        self._ends: Ends = []
        # Ends that were recorded where they happened, and that nobody has heard of yet.
        self._recorded: Ends = []
        # Attempts of which the store does not know yet that they have begun.
        self._begun: list[Attempt] = []
        # Of those that end, and not written yet.
        self._last_progress: list[tuple[Attempt, Progress]] = []

    def has_ends(self) -> bool:
        """Whether there are ends that are not recorded."""
        return bool(self._ends or self._recorded)

    def has_many(self) -> bool:
        """Whether it takes so long to record them that other things come first."""
        return len(self._ends) >= MANY

    def add(self, attempt: Attempt, end: AttemptEnd) -> None:
        """Note how an attempt has ended."""
        self._ends.append((attempt, end))

    def refuse(self, attempts: Sequence[Attempt], error: Exception) -> None:
        """Fail attempts that could not be started: the jobs, for whoever claims them next would fail, too."""
        info, _ = describe_error(error)
        self._ends += [(attempt, Failed(info)) for attempt in attempts]

    def add_ran(self, ran: Sequence[Ran]) -> None:
        """Note how attempts have ended that the pool has run."""
        self._ends += [(attempt, end) for attempt, end, _ in ran]

    def add_recorded(self, ran: Sequence[Ran]) -> None:
        """Note how attempts have ended whose ends are recorded: others are to hear of it."""
        self._recorded += [(attempt, end) for attempt, end, _ in ran]

    def add_begun(self, begun: Sequence[Attempt]) -> None:
        """Note that these have begun."""
        self._begun += begun

    def send(self, worker_id: uuid.UUID, in_flight: InFlight) -> bool:
        """Record all of it; return whether that was anything.

        Args:
            worker_id: Whose attempts these are.
            in_flight: Has the last progress of what has ended.
        """
        self._tell_recorded(in_flight)
        if not self._ends and not self._begun:
            return False
        if self._on_ending is not None and self._ends:
            # Before: once they are recorded, anybody may be the first to hear of them.
            self._on_ending(self._ends)
        self._send_last_progress(worker_id, in_flight)
        refused = self._store.ack(worker_id, self._ends, begun=self._begun)
        ends, self._ends, self._begun = self._ends, [], []
        if refused:
            keys = set(map(_key, refused))
            ends = [end for end in ends if _key(end[0]) not in keys]
            self._telling.refused(refused)
        self._on_recorded(ends)
        self._telling.ended(ends)
        return True

    def _tell_recorded(self, in_flight: InFlight) -> None:
        if not self._recorded:
            return
        recorded, self._recorded = self._recorded, []
        if self._on_ending is not None:
            self._on_ending(recorded)
        # Other programs hear of commits from whoever keeps the store open.
        self._store.note_commit()
        # It was recorded with the outcome.
        self._telling.progressed(in_flight.take_progress_of(one for one, _ in recorded))
        self._on_recorded(recorded)
        self._telling.ended(recorded)

    def give_back(self, worker_id: uuid.UUID, ends: Ends) -> None:
        """Say how the attempts of a lost lease have ended, these and those from before."""
        self._ends += ends
        self._begun, self._last_progress = [], []
        if self._ends:
            self._store.ack(worker_id, self._ends)
            self._ends = []

    def _send_last_progress(self, worker_id: uuid.UUID, in_flight: InFlight) -> None:
        # Before the outcome: an attempt that has ended is not ours to write about.
        self._last_progress += in_flight.take_progress_of(one for one, _ in self._ends)
        if self._last_progress:
            self._store.report_progress(worker_id, self._last_progress)
            told, self._last_progress = self._last_progress, []
            self._telling.progressed(told)


def _key(attempt: Attempt) -> tuple[uuid.UUID, int]:
    return attempt.job_id, attempt.number
