"""Figures: what a measurement found, as frozen data. No clock, no I/O.

Durations are seconds, sizes bytes, shares numbers from 0 to 1. Whatever was not
measured (no time left, interrupted, not possible here) is absent: an empty tuple
of runs, or None in the place of a whole probe.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

Kind = Literal["inline", "threads", "processes"]
ChunkSize = int | Literal["auto"]


@dataclass(frozen=True, slots=True)
class Setup:
    """One way to run the items."""

    kind: Kind
    workers: int = 1
    chunksize: ChunkSize = "auto"

    @property
    def where(self) -> str:
        """The words that open its executor."""
        return self.kind if self.kind == "inline" else f"{self.kind}:{self.workers}"

    @property
    def label(self) -> str:
        """Its words for people."""
        chunks = "" if self.chunksize == "auto" else f", chunks of {self.chunksize}"
        return f"{self.where}{chunks}"

    @property
    def order(self) -> tuple[int, bool, int, int]:
        """Simplest first: inline, threads, processes; automatic chunks; few workers."""
        kinds = ("inline", "threads", "processes")
        size = 0 if self.chunksize == "auto" else self.chunksize
        return kinds.index(self.kind), size > 0, self.workers, size


INLINE: Final = Setup("inline")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one setup over some items.

    Attributes:
        items: How many.
        seconds: How long, in a warm pool.
        cpu: CPU time of all threads and processes that took part.
        waited: Share of the time in which somebody ready to run had no CPU.
        speedup: Against the inline run of the same round.
        start: Seconds until a fresh pool had answered a first call of each worker.
        memory: Private bytes of the biggest child; 0: no children, or not known.
    """

    items: int
    seconds: float
    cpu: float = 0.0
    waited: float = 0.0
    speedup: float = 1.0
    start: float = 0.0
    memory: int = 0

    @property
    def seconds_per_item(self) -> float:
        """Mean."""
        return self.seconds / self.items


@dataclass(frozen=True, slots=True)
class Row:
    """All runs of one setup; at least one."""

    setup: Setup
    runs: tuple[Run, ...]

    @property
    def seconds_per_item(self) -> float:
        """Median."""
        return median(run.seconds_per_item for run in self.runs)

    @property
    def speedup(self) -> float:
        """Median."""
        return median(run.speedup for run in self.runs)

    @property
    def lowest(self) -> float:
        """The worst run's speed-up."""
        return min(run.speedup for run in self.runs)

    @property
    def highest(self) -> float:
        """The best run's speed-up."""
        return max(run.speedup for run in self.runs)

    @property
    def busy(self) -> float:
        """How many CPUs were busy, median."""
        return median(run.cpu / run.seconds for run in self.runs)

    @property
    def cpu_per_item(self) -> float:
        """CPU time of one item, median."""
        return median(run.cpu / run.items for run in self.runs)

    @property
    def waited(self) -> float:
        """Share of the time in which somebody ready to run had no CPU, median."""
        return median(run.waited for run in self.runs)

    @property
    def start(self) -> float:
        """Seconds that opening the pool took, median."""
        return median(run.start for run in self.runs)

    @property
    def memory(self) -> int:
        """Private bytes of the biggest child."""
        return max(run.memory for run in self.runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstCalls:
    """What the first calls, inline, told.

    Attributes:
        first: Seconds of the very first call, which may import and fill caches.
        seconds: Seconds of a call after that, mean.
        cpu: CPU time of it, with threads and programs that the function runs itself.
        gil: Share of the time in which the function, while it had a CPU, held the GIL; None:
            too short to see.
        waited: Share of the time in which the call had no CPU although it was ready.
    """

    first: float
    seconds: float
    cpu: float
    gil: float | None = None
    waited: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pickling:
    """What travelling to a child and back costs one item, mean.

    Attributes:
        argument_bytes: Size of the pickled item.
        result_bytes: Size of the pickled result.
        seconds: To pickle and load both.
        problem: Why it cannot travel; empty: it can.
    """

    argument_bytes: int = 0
    result_bytes: int = 0
    seconds: float = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A setup that was not measured (any more), and why.

    `has_failed`: it was tried; else there was no time for it.
    """

    setup: Setup
    reason: str
    has_failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """Everything that was found.

    Attributes:
        function: `module:function`.
        items: How many the input has.
        cpus: How many this process may use.
        first_calls: None: not even one call ended.
        pickling: None: not tried.
        rows: Setups with at least one run, simplest first.
        left_out: Setups that were planned and have no (further) run.
        cold_start: Seconds that opening the very first pool of processes took, which
            also starts the fork server: what a program pays once; 0: none was opened.
        seconds: How long all of this took.
        is_complete: False: it was interrupted.
        is_async: The function makes coroutines: one thread, or child, runs many at a time.
    """

    function: str
    items: int
    cpus: int
    first_calls: FirstCalls | None = None
    pickling: Pickling | None = None
    rows: tuple[Row, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    cold_start: float = 0.0
    seconds: float = 0.0
    is_complete: bool = True
    is_async: bool = False

    def row(self, setup: Setup) -> Row | None:
        """Return the row of a setup, if it was measured."""
        return next((row for row in self.rows if row.setup == setup), None)

    def rows_of(self, kind: Kind) -> list[Row]:
        """Return the rows of one kind with automatic chunks, fewest workers first."""
        rows = [row for row in self.rows if row.setup.kind == kind]
        return sorted(
            (row for row in rows if row.setup.chunksize == "auto"),
            key=lambda row: row.setup.workers,
        )

    def start_of(self, row: Row) -> float:
        """Return what opening this pool costs a program that opens one."""
        return max(row.start, self.cold_start) if row.setup.kind == "processes" else row.start

    @property
    def inline_seconds(self) -> float:
        """Seconds of one item without any pool; 0: not known."""
        row = self.row(INLINE)
        if row is not None:
            return row.seconds_per_item
        return self.first_calls.seconds if self.first_calls else 0.0


def fastest(rows: Iterable[Row]) -> Row | None:
    """Return the row with the highest median speed-up, if there is any row."""
    return max(rows, key=lambda row: row.speedup, default=None)
