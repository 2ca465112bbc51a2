"""Watch: notices that a database on a server was changed, by us or by another program.

The truth is a number that the server tells: how many transactions have written so far. Asking
costs a query. A commit of this program, and word from other programs (hints), wake those who wait
at once. Hints may be lost without anybody noticing (a pooler, a dead connection), so it is also
asked now and then. How often depends on the hints, which know whether they arrive; where there are none, after
t seconds without a change t/50 later, between 5 ms and 250 ms. However many wait, one of them
asks for all. Times vary by a quarter, so that a hundred workers do not ask in step.

Commits of this program are counted, where hints arrive: what a look finds and is no more than these is no news. Whoever
was to hear of them was told, and of the others (heartbeats, claims) nobody is to hear; or five hundred that wait would
wake with each look. Where the count is not exact, as of a commit that is under way, they wake once more than they need.
What else is found without a hint is told, and makes nobody look more often.

What is returned is that number and how often somebody has told: word wakes those who wait
without a question, and once more when the number has followed. Word of submits alone does not wake those who wait
for the ends of jobs: who submits a thousand one by one would else look for outcomes a thousand times. Word of ends
alone does not wake those who wait for work: all idle workers would look after each job of one of them.

`_lock` guards the fields.
"""

import random
import threading
from collections.abc import Callable
from typing import Final

from lightwork.clock import monotonic
from lightwork.store.contracts.news import News
from lightwork.store.server.server import Hints

SHORTEST_PAUSE: Final = 0.005
LONGEST_PAUSE: Final = 0.250
_PART_OF_IDLE_TIME: Final = 1 / 50


class Watch:
    """Waits for changes of one database.

    Args:
        look: Asks the server.
        hints: Of whom it is known whether they arrive.
    """

    def __init__(self, look: Callable[[], int], hints: Hints) -> None:
        self._look = look
        self._hints = hints
        self._seen: int | None = None
        self._changed_at = monotonic()
        self._look_at = 0.0
        # How often there was news to whom.
        self._told = {News.WORK: 0, News.ENDS: 0, News.ALL: 0}
        # Our commits since the last look.
        self._own = 0
        # Entered itself, never through a condition: there a Ctrl-C could leave it taken.
        self._lock = threading.RLock()
        self._woken = threading.Condition(self._lock)
        # Who waits for what; the same lock.
        self._waiting = {
            News.ALL: self._woken,
            **{part: threading.Condition(self._lock) for part in (News.WORK, News.ENDS)},
        }

    def changes(self) -> int:
        """Return a number that differs after every commit."""
        number = self._look()
        with self._lock:
            self._note(number)
            return number + self._told_of(News.ALL)

    def notify(self, news: News = News.ALL) -> None:
        """Wake those to whom it is news what somebody has committed."""
        with self._lock:
            self._told[news] += 1
            self._changed_at = now = monotonic()
            # Word that came while others were told may be lost.
            self._look_at = min(self._look_at, now + self._pause(now))
            for part, woken in self._waiting.items():
                if part & news:
                    woken.notify_all()

    def note_own(self) -> None:
        """Note a commit of this program; those who are to hear of it are told besides."""
        with self._lock:
            self._own += 1

    def wait(self, seen: int, timeout: float, *, news: News = News.ALL) -> int:
        """Wait until `changes()` differs from `seen` or the time is up; return it."""
        self._hints.listen(self.notify)
        woken = self._waiting[news]
        deadline = monotonic() + timeout
        while True:
            with self._lock:
                now = monotonic()
                if self._seen is not None:
                    number = self._seen + self._told_of(news)
                    if number != seen or now >= deadline:
                        return number
                if now < self._look_at:
                    woken.wait(max(min(deadline, self._look_at) - now, 0.001))
                    continue
                # Meanwhile the others wait; whoever is interrupted in here delays them a little.
                self._look_at = now + self._pause(now)
            self.changes()

    def _note(self, number: int) -> None:
        now = monotonic()
        own, self._own = self._own, 0
        is_heard = self._hints.are_heard()
        if is_heard and self._seen is not None and number == self._seen + own:
            # What is returned stays the same.
            self._seen = number
            self._told[News.ALL] -= own
        elif number != self._seen:
            self._seen = number
            if not is_heard:
                self._changed_at = now
            for woken in self._waiting.values():
                woken.notify_all()
        self._look_at = now + self._pause(now)

    def _told_of(self, news: News) -> int:
        return sum(number for whose, number in self._told.items() if whose & news)

    def _pause(self, now: float) -> float:
        return random.uniform(0.75, 1.25) * self._hints.pause(now - self._changed_at)


def looking_pause(idle: float) -> float:
    """Return how long to wait for the next look, after so many seconds without a change and without hints."""
    return min(max(idle * _PART_OF_IDLE_TIME, SHORTEST_PAUSE), LONGEST_PAUSE)
