"""Marks: behind which one looks for jobs, while no vacuum removes dead rows. Pure: no clock, no SQL.

While somebody holds a transaction open, each job that was claimed leaves a dead entry in the index of its lane for as
long as that lasts, and whoever looks for the first job that is ready walks over all of them: the
rate falls with each job that has run. So here is kept, for each lane and rank, up to which number of a job nothing was
ready when this was looked at; the index is then read behind these marks only:

    (queue, task, rank 0) ....................dead.................... mark | ready ...
    (queue, task, rank 5) ..........dead.......... mark | ready ...
    ^ what has no mark: lanes and ranks that are new here, which are read from their beginning

A mark is moved by looks at all lanes of a queue (behind.py), which tell the first job that is ready in each lane: nothing
is before it. Where none is, nothing is up to the number that was given to a job last SETTLED seconds ago: whoever was
given one later may not have committed yet.

What comes in before a mark all the same was put off, given back or rescued and keeps its number, or was committed
later than that. So now and then a look is a full one, from the beginning, and moves marks back to what it finds. It takes
as long as every look would take, so it is made at a pace (pace.py): full looks take a twentieth of the time. One that takes
LONG would hold up whoever looks, with outcomes to record, so while there are other jobs to claim it is left to the thread that
removes dead rows (dead_rows.py). Priorities hold at all times, since each rank has its mark. What this program itself gives back moves marks back at once.

What is scheduled has one such mark, an instant, before which nothing is due: when the next job is due is asked twice a second.

Two who look at once may move a mark each by what they have seen; the worst of it is a mark over a job that came in
between, as if it had come after both. What this program itself gives back during a look is not hidden by its end: then that moves
marks back only. `_lock` guards all.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from lightwork.store.operations.pace import Pace

# Within so many seconds after it was given a number a job is committed, or is found by a full look only.
SETTLED: Final = 0.5
# Seconds; and how much later than it is due whoever looks makes a full look of that length, if nobody else has.
LONG: Final = 0.1
LATE: Final = 10.0
# Of one queue: each costs a look some 10 us.
_MOST: Final = 100
# Beside the names of queues.
_DUE: Final = ("due",)


class Place(NamedTuple):
    """Of a job in its lane: the best rank, and in it the lowest number, comes first."""

    rank: int
    seq: int


@dataclass(frozen=True, slots=True)
class QueueLook:
    """A look at the lanes of a queue.

    Attributes:
        marks: Behind which it looks, by task; none: it is a full one.
        settled: The number up to which all jobs are settled; 0: that is not known.
        backs: How often marks of the queue had been moved back for jobs that came in before them.
    """

    queue: str
    began: float
    marks: Mapping[str, Sequence[Place]]
    settled: int
    backs: int

    @property
    def is_full(self) -> bool:
        """Whether it begins at the beginning."""
        return not self.marks


@dataclass(frozen=True, slots=True)
class DueLook:
    """A look when the next scheduled job is due.

    Attributes:
        since: The instant from which on it looks, in milliseconds of the database clock; 0: it is a full one.
    """

    began: float
    since: int


class Marks:
    """Those of one store.

    Attributes:
        due_since: The mark of what is scheduled, an instant; 0: none.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._are_in_force = False
        self._pace = Pace()
        # By queue, task and rank.
        self._seqs: defaultdict[str, dict[str, dict[int, int]]] = defaultdict(dict)
        self._backs: Counter[str] = Counter()
        # Queues whose last full look took long.
        self._long: set[str] = set()
        # When the number given last was seen, and what it was; of two times, since the first is settled.
        self._settled = self._given = (-SETTLED, 0)
        self.due_since = 0

    @property
    def are_in_force(self) -> bool:
        """Whether vacuums are known to be in vain."""
        return self._are_in_force

    def set_in_force(self, are_in_force: bool) -> None:  # noqa: FBT001 - the only thing to say
        """Begin to keep marks; or forget them, since vacuums help."""
        with self._lock:
            if not are_in_force:
                self._seqs.clear()
                self._long.clear()
                self._pace.forget()
                self.due_since = 0
            self._are_in_force = are_in_force

    def is_number_due(self, now: float) -> bool:
        """Whether to ask for the number that was given to a job last, for `note_number`."""
        return now - self._given[0] >= SETTLED

    def note_number(self, now: float, number: int) -> None:
        """Note that this was the last number when it was asked for, then."""
        with self._lock:
            if self.is_number_due(now):
                self._settled, self._given = self._given, (now, number)

    def begin(self, queue: str, now: float, *, is_full: bool = False) -> QueueLook:
        """Return how to look at the lanes of a queue now; `is_full`: from the beginning, whenever that is due."""
        soonest = now - LATE if queue in self._long else now
        with self._lock:
            seen_at, number = self._given
            settled = number if now - seen_at >= SETTLED else self._settled[1]
            is_short = not (is_full or self._pace.is_due(queue, soonest))
            marks = {task: _places(seqs) for task, seqs in self._seqs[queue].items()}
            backs = self._backs[queue]
        return QueueLook(queue, now, marks if is_short else {}, settled, backs)

    def end(self, look: QueueLook, now: float, first: Mapping[str, Place]) -> None:
        """Move the marks of a queue by what a look has found: the first job that is ready of each lane."""
        with self._lock:
            if look.is_full:
                self._pace.note(look.queue, look.began, now)
                (self._long.add if now - look.began > LONG else self._long.discard)(look.queue)
            if not (self._are_in_force and look.settled):
                return
            lanes = self._seqs[look.queue]
            if look.backs != self._backs[look.queue]:
                # Of what came in since it has seen nothing, and must not hide it.
                for task, place in first.items():
                    self._move_back(look.queue, task, place)
                return
            for task in lanes.keys() | first.keys():
                marked = lanes.get(task, {})
                moved = _moved(marked, look.settled, first.get(task))
                if len(moved) <= len(marked) or sum(map(len, lanes.values())) < _MOST:
                    lanes[task] = moved

    def is_full_due(self, queue: str, now: float) -> bool:
        """Whether it is time for a full look, however long that takes."""
        with self._lock:
            return self._pace.is_due(queue, now)

    def long_due(self, now: float) -> list[str]:
        """Return the queues for which it is, and that are left to who has the time."""
        with self._lock:
            return [queue for queue in self._long if self._pace.is_due(queue, now)]

    def note_back(self, queue: str, task: str, place: Place) -> None:
        """Move a mark back before a job of that place."""
        with self._lock:
            self._backs[queue] += 1
            self._move_back(queue, task, place)

    def _move_back(self, queue: str, task: str, place: Place) -> None:
        seqs = self._seqs[queue].get(task, {})
        if place.seq <= seqs.get(place.rank, 0):
            seqs[place.rank] = place.seq - 1

    def of_lane(self, queue: str, task: str) -> list[Place]:
        """Return the marks of a lane, rank by rank; none: look from its beginning."""
        with self._lock:
            return _places(self._seqs[queue].get(task, {})) if self._are_in_force else []

    def begin_due(self, now: float) -> DueLook:
        """Return how to look when the next scheduled job is due."""
        with self._lock:
            return DueLook(now, 0 if self._pace.is_due(_DUE, now) else self.due_since)

    def end_due(self, look: DueLook, now: float, database_now: int, due_in: int | None) -> None:
        """Move that mark by what the look has found; a job that is put off is due after the moment of that."""
        with self._lock:
            if not look.since:
                self._pace.note(_DUE, look.began, now)
            if self._are_in_force:
                # Later by the time that the look took than the clock that `due_in` was told by.
                soonest = database_now + min(due_in or 0, 0)
                self.due_since = soonest - round(SETTLED * 1000)


def _places(seqs: Mapping[int, int]) -> list[Place]:
    return [Place(rank, seqs[rank]) for rank in sorted(seqs)]


def _moved(seqs: Mapping[int, int], settled: int, first: Place | None) -> dict[int, int]:
    """Return the marks of a lane in which nothing is ready before `first`, or nothing at all."""
    if first is None:
        return dict.fromkeys(seqs, settled)
    before = {rank: settled for rank in seqs if rank < first.rank}
    behind = {rank: seq for rank, seq in seqs.items() if rank > first.rank}
    return before | {first.rank: min(first.seq - 1, settled)} | behind
