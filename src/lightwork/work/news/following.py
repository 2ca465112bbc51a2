"""Following: what happens in a store, as events, read from the store itself.

Whoever follows hears of every job that is submitted and of every end, whoever submitted and ran
it. Begins and progress leave no trace that could be read in order; these only the worker tells.

Each source is read from where it was read last, in bounded pages, and only if its events are
wanted. A transaction may commit after others that took their number, or their instant, later.
So

    new jobs      numbers that were passed over are asked for again for a minute;
    ends          once a second the last two seconds are read again;

and what was told once is not told again (`seen`), nor what had ended when somebody began to listen.
It is a stream to look at, not to compute
with: after a minute without a look, or with a transaction open for so long, something may be
missing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile
from threading import Lock
from typing import Any, Final

from lightwork.clock import monotonic
from lightwork.events import kinds
from lightwork.events.kinds import JobEvent
from lightwork.model import ErrorInfo, State
from lightwork.store.contract import Store
from lightwork.store.views import NewsMark, NewsView

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PAGE: Final = 1000
_LATE_MS: Final = 2000
_LATE_SECONDS: Final = 1.0
_GAP_SECONDS: Final = 60.0
_MOST_GAPS: Final = 20
# After so long nobody can come with the same news.
_SEEN_SECONDS: Final = 15.0
_NO_ERROR: Final = ErrorInfo(type="Unknown", text="no error was recorded")
# What an event is about, once and for all.
Key = tuple[object, ...]
Pages = Callable[[NewsMark], list[NewsView]]


@dataclass(slots=True)
class _Gap:
    above: int
    last: int
    until: float


@dataclass(slots=True)
class _Ends:
    """One source of ends, and up to where it was read."""

    kinds: tuple[type[JobEvent], ...]
    read: Pages
    mark: NewsMark | None = None
    late_at: float = field(default=0.0)


class Seen:
    """What was told; two threads may come with the same news."""

    def __init__(self) -> None:
        self._lock = Lock()  # guards both
        self._old: dict[Key, None] = {}
        self._new: dict[Key, None] = {}
        self._turned_at = 0.0

    def add(self, event: JobEvent) -> bool:
        """Note an event; False: it was known."""
        key = _key(event)
        with self._lock:
            if key in self._new:
                return False
            # Whoever comes with it again may come once more: it is as if it were told now.
            self._new[key] = None
            return key not in self._old

    def forget_old(self) -> None:
        """Forget what nobody comes with any more; called when all has been read."""
        now = monotonic()
        if now >= self._turned_at:
            self._turned_at = now + _SEEN_SECONDS
            with self._lock:
                self._old, self._new = self._new, {}


class Follower:
    """Reads one store.

    Args:
        store: It.
        hears: Whether anybody wants events of one of these kinds.
        seen: What was told, by whomever.
    """

    def __init__(
        self, store: Store, hears: Callable[..., bool] = lambda *_: True, seen: Seen | None = None
    ) -> None:
        self._store = store
        self._hears = hears
        self.seen = seen or Seen()
        # The highest number that was read; -1: nobody wants to know.
        self._seq = -1
        self._gaps: list[_Gap] = []
        self._ends = [
            _Ends((kinds.Succeeded,), self._jobs(State.SUCCEEDED)),
            _Ends((kinds.Failed, kinds.Quarantined), self._jobs(State.FAILED)),
            _Ends((kinds.Cancelled,), self._jobs(State.CANCELLED)),
            _Ends((kinds.Retried, kinds.Lost), lambda mark: store.ended_attempts(after=mark)),
        ]

    def begin(self) -> None:
        """What happens from now on is news, of whatever kind is wanted since."""
        now = self._store.news_mark()
        if self._seq < 0 and self._hears(kinds.Submitted):
            self._seq = now.seq
        for source in self._ends:
            if source.mark is None and self._hears(*source.kinds):
                source.mark = replace(now, seq=0)
                self._pass_over(source, source.mark)

    def look(self) -> list[JobEvent]:
        """Return what is new, in order; there may be more if that is much."""
        self._let_go()
        found: list[NewsView] = []
        for source in self._ends:
            if source.mark is not None:
                found += self._new_ends(source, source.mark)
        # Last: what ended while this was read is told after its submission.
        found += self._new_jobs()
        found.sort(key=lambda view: view.mark)
        told = [event for view in found if (event := _event(view)) and self.seen.add(event)]
        # With less than a page all has been read: a busy store has something to tell each time.
        if len(found) < _PAGE:
            self.seen.forget_old()
        return told

    def _let_go(self) -> None:
        """Forget where the reader was in what nobody wants: whoever begins to is told no old news."""
        if not self._hears(kinds.Submitted):
            self._seq = -1
            self._gaps.clear()
        for source in self._ends:
            if not self._hears(*source.kinds):
                source.mark = None

    def _pass_over(self, source: _Ends, mark: NewsMark) -> None:
        """Note as told what has ended right before the mark, where ends that commit late are looked for."""
        for view in self._since(source, NewsMark(at_ms=mark.at_ms - _LATE_MS)):
            if event := _event(view):
                self.seen.add(event)

    def _jobs(self, state: State) -> Pages:
        return lambda mark: self._store.ended_jobs(state, after=mark)

    def _new_ends(self, source: _Ends, mark: NewsMark) -> list[NewsView]:
        found: list[NewsView] = []
        now = monotonic()
        if now >= source.late_at:
            source.late_at = now + _LATE_SECONDS
            found += self._late(source, mark)
        page = source.read(mark)
        if page:
            source.mark = page[-1].mark
        return found + page

    def _late(self, source: _Ends, mark: NewsMark) -> Iterator[NewsView]:
        """Yield what lies before the mark, most of which is known."""
        since = self._since(source, NewsMark(at_ms=mark.at_ms - _LATE_MS))
        return takewhile(lambda view: view.mark <= mark, since)

    @staticmethod
    def _since(source: _Ends, at: NewsMark) -> Iterator[NewsView]:
        """Yield what has ended since, in order."""
        while page := source.read(at):
            yield from page
            at = page[-1].mark
            if len(page) < _PAGE:
                return

    def _new_jobs(self) -> list[NewsView]:
        if self._seq < 0:
            return []
        found = list(self._late_jobs())
        page = self._store.new_jobs(above=self._seq, last=2**62)
        self._note_gaps(self._seq, page)
        if page:
            self._seq = page[-1].mark.seq
        return found + page

    def _late_jobs(self) -> Iterator[NewsView]:
        now = monotonic()
        gaps, self._gaps = self._gaps, []
        for gap in gaps:
            page = self._store.new_jobs(above=gap.above, last=gap.last)
            yield from page
            if now < gap.until:
                rest = [*self._between(gap.above, page), (self._end(gap, page), gap.last)]
                self._gaps += [_Gap(a, b, gap.until) for a, b in rest if a < b]
        del self._gaps[:-_MOST_GAPS]

    @staticmethod
    def _end(gap: _Gap, page: list[NewsView]) -> int:
        return page[-1].mark.seq if page else gap.above

    @staticmethod
    def _between(above: int, page: list[NewsView]) -> Iterable[tuple[int, int]]:
        """Return the stretches of numbers that are missing in a page."""
        seqs = [above, *(view.mark.seq for view in page)]
        return [(low, high - 1) for low, high in pairwise(seqs) if high - low > 1]

    def _note_gaps(self, above: int, page: list[NewsView]) -> None:
        until = monotonic() + _GAP_SECONDS
        self._gaps += [_Gap(low, high, until) for low, high in self._between(above, page)]
        del self._gaps[:-_MOST_GAPS]


def _event(view: NewsView) -> JobEvent | None:
    known: dict[str, Any] = {
        "at": _EPOCH + timedelta(milliseconds=view.mark.at_ms),
        "job_id": view.job_id,
        "seq": view.mark.seq,
        "task": view.task,
        "queue": view.queue,
        "attempt": view.mark.number,
    }
    error = view.error or _NO_ERROR
    is_lost = error.type == "WorkerLost"
    match view.what:
        case "submitted":
            return kinds.Submitted(**known)
        case State.SUCCEEDED:
            return kinds.Succeeded(**known, seconds=view.seconds)
        case State.CANCELLED:
            return kinds.Cancelled(**known)
        case State.FAILED:
            return (kinds.Quarantined if is_lost else kinds.Failed)(**known, error=error)
        case "attempt failed":
            return kinds.Retried(**known, error=error)
        case "attempt lost":
            return kinds.Lost(**known, error=error)
    return None


def _key(event: JobEvent) -> Key:
    word = "job_failed" if isinstance(event, kinds.Failed) else event.word
    if isinstance(event, kinds.Progressed):
        return word, event.seq, event.attempt, event.progress
    # A job that waits may be cancelled, be wanted after all, and be cancelled again.
    return word, event.seq, event.attempt, 0 if event.attempt else event.at
