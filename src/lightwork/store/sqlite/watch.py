"""Watch: notices that a SQLite file was changed, by us or by another process.

`PRAGMA data_version` on a connection that never writes differs after every commit
of any other connection, takes no lock and costs a few microseconds. A commit of this process wakes those
who wait at once. One of another process rings a bell (bell/bell.py), if lightwork made it and the system has
inotify. Where the bell is heard, looking only finds what rings none: other programs' commits, and
quiet ones (claims, heartbeats), which are to wake nobody; twice a second is enough. Elsewhere all are
found by looking: after t seconds without a change the next look comes t/50 later, between 1 ms and 20 ms. A job
thus waits for at most a fiftieth of the time in which nothing happened, and an idle process looks 2 or 50
times a second, however many wait: one of them looks for all, and wakes them when there is something.

Own quiet commits are not even found by looking. The writer says of each commit of its own whether it was alone: what others
have committed before shows here once its transaction has begun, and the data_version of its own connection tells
others' commits only. What a look finds after one that was alone is then
known to be ours. After one that was not, and until the next look, it may be anybody's, and is news.

What is told is a number of our own, which grows with all news; who has seen the newest asks the file nothing. Those
who wait for work, or for the ends of jobs, have numbers of their own, which do not grow with what this process has
committed and is no news to them. The bell does not say what was committed: that is news to all.

The connection has read once before it is given here: since then this process holds
SQLite's shared lock, so nobody else takes itself for the last user and removes the WAL.

`_lock` guards the connection, `_seen` and `_has_others`; `_guard` guards `_numbers`, `_changed_at`,
`_look_at` and `_is_watched`.
"""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from lightwork.clock import monotonic
from lightwork.errors import StoreError
from lightwork.store.contracts.news import News
from lightwork.store.sqlite.errors import driver_errors
from lightwork.store.sqlite.fork_gate import ForkGate
from lightwork.store.sqlite.same_file import SameFile

SHORTEST_PAUSE: Final = 0.001
LONGEST_PAUSE: Final = 0.020
# Where whoever writes with lightwork is heard: others may be found later.
HEARD_PAUSE: Final = 0.500
# How late whoever asks hears that the file is gone; who waits, at the next look.
_SAME_SECONDS: Final = 0.1
_PART_OF_IDLE_TIME: Final = 1 / 50


class Watch:
    """Counts changes of one file and waits for them.

    Args:
        same: Raises if the file is no longer what it was: then no change will ever come.
        listen: Called when somebody waits: from now on others may call `changes` when there are any;
            says whether they will.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        where: str,
        *,
        gate: ForkGate,
        same: SameFile,
        listen: Callable[[], bool] = lambda: False,
    ) -> None:
        self._connection: sqlite3.Connection | None = connection
        self._where = where
        self._gate = gate
        self._same = same
        self._listen = listen
        self._is_heard = False
        self._lock = threading.Lock()
        self._seen = version_of(connection)
        # Others may have committed, besides us, since the last look.
        self._has_others = False
        # Looked at so seldom, because it costs as much as all else here.
        self._same_until = 0.0
        # Entered itself, never through a condition: there a Ctrl-C could leave it taken.
        self._guard = threading.RLock()
        self._woken = threading.Condition(self._guard)
        # Who waits for what; the same lock.
        self._waiting = {
            News.ALL: self._woken,
            **{part: threading.Condition(self._guard) for part in (News.WORK, News.ENDS)},
        }
        # How often there was news to whom.
        self._numbers = {News.WORK: 0, News.ENDS: 0, News.ALL: 0}
        self._changed_at = monotonic()
        self._look_at = 0.0
        # Whether one of those who wait looks for them all.
        self._is_watched = False

    def changes(self) -> int:
        """Look; return a number that differs after every commit but our own quiet ones."""
        with self._gate.inside(), self._lock:
            version = self._version(self._open())
            is_news = version != self._seen
            self._seen, self._has_others = version, False
        if is_news:
            self.notify(News.ALL)
        with self._guard:
            self._look_at = monotonic() + self._next_pause()
            return self._number_of(News.ALL)

    def note_begin(self) -> None:
        """Note that this process is about to commit, and nobody else can before it has."""
        with self._lock, suppress(sqlite3.Error, StoreError):
            self._has_others = self._has_others or version_of(self._open()) != self._seen

    def note_own(self, is_alone: Callable[[], bool], news: News) -> None:
        """Note a commit of this process; called by who has committed, from inside of the gate.

        Args:
            is_alone: Whether nobody else has committed since `note_begin`; asked after the look, which
                may have seen one of right after ours.
            news: Those who wait are to hear of it, and so of all that was before.
        """
        with self._lock, suppress(sqlite3.Error, StoreError):
            version = version_of(self._open())
            is_with_others = not is_alone()
            if version == self._seen:
                # Somebody was quicker to look, and has told.
                return
            has_others = self._has_others or is_with_others
            if news and has_others:
                news = News.ALL
            self._has_others = not news and has_others
            if not self._has_others:
                self._seen = version
        if news:
            self.notify(news)

    def _version(self, connection: sqlite3.Connection) -> int:
        now = monotonic()
        if now < self._same_until:
            try:
                return version_of(connection)
            except sqlite3.Error:
                # Of a file that is gone SQLite says this and that.
                self._same.check()
        with self._same, driver_errors(self._where):
            version = version_of(connection)
        self._same_until = now + _SAME_SECONDS
        return version

    def notify(self, news: News) -> None:
        """Wake those who wait: somebody has committed."""
        with self._guard:
            self._numbers[news] += 1
            self._changed_at = monotonic()
            if not self._is_heard:
                # More may come soon.
                self._look_at = self._changed_at + SHORTEST_PAUSE
            for part, woken in self._waiting.items():
                if part & news:
                    woken.notify_all()

    def wait(self, seen: int, timeout: float, *, news: News = News.ALL) -> int:
        """Wait until `changes()` differs from `seen` or the time is up; return it."""
        if self._listen() != self._is_heard:
            # What came before it was heard is found by looking.
            self._is_heard = not self._is_heard
            self._look_at = 0.0
        deadline = monotonic() + timeout
        has_looked = False
        try:
            while True:
                number = self._newest(news)
                left = deadline - monotonic()
                if number != seen or left <= 0:
                    return number
                has_looked = self._pause(number, left, news)
        finally:
            if has_looked:
                # Whoever waits on is to look now.
                with self._guard:
                    for woken in self._waiting.values():
                        woken.notify()

    def close(self) -> None:
        """Let go of the connection and wake those who wait, who then fail."""
        with self._gate.inside(), self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
        self.notify(News.ALL)

    def close_inherited(self) -> None:
        """Let go of the connection in a forked child, where no lock means anything."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"store {self._where} was closed; open it again")
        return self._connection

    def _newest(self, news: News) -> int:
        """Return the number, after a look if it is time for one."""
        if monotonic() >= self._look_at:
            self.changes()
        else:
            self._open()
        return self._number_of(news)

    def _number_of(self, news: News) -> int:
        with self._guard:
            return sum(number for whose, number in self._numbers.items() if whose & news)

    def _pause(self, number: int, left: float, news: News) -> bool:
        """Wait for the next look, or for word of another's; return whether it was the first."""
        woken = self._waiting[news]
        with self._guard:
            if self._number_of(news) != number:
                return False
            if self._is_watched:
                woken.wait(left)
                return False
            self._is_watched = True
            try:
                woken.wait(min(max(self._look_at - monotonic(), 0.0), left))
            finally:
                self._is_watched = False
            return True

    def _next_pause(self) -> float:
        if self._is_heard:
            return HEARD_PAUSE
        idle = monotonic() - self._changed_at
        return min(max(idle * _PART_OF_IDLE_TIME, SHORTEST_PAUSE), LONGEST_PAUSE)


def version_of(connection: sqlite3.Connection) -> int:
    """Return the number that differs after a commit of any other connection."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])
