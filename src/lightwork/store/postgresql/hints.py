"""Hints: NOTIFY after commits and LISTEN, so that idle workers hear of jobs within a millisecond.

Never to be relied upon: a pooler that gives connections away after each transaction loses every
LISTEN without a word, and a listener's connection may be dead without anybody noticing. So what
is sent must come back to the sender: while it does, others are taken to be heard as well; when
it does not within ECHO seconds, watch.py asks the server more often, and the listener connects anew, behind a
pooler that loses it ever more seldom (server/hint_listener.py).

NOTIFY takes a lock of the whole cluster at its commit, so it is never part of a caller's
transaction: whoever has committed sends one after it, or a thread for all commits since the last
(server/hint_sender.py), without waiting for the disk. What is one message by itself has it behind its own COMMIT.

A listener that has heard nothing for PROBE seconds asks for an echo itself: without a word to
send it would take a dead connection for a quiet system.
"""

import os
import secrets
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Engine

from lightwork.clock import monotonic
from lightwork.store.contracts.news import News
from lightwork.store.postgresql.driver import do
from lightwork.store.server.hint_listener import HintListener, OnHint
from lightwork.store.server.hint_sender import HintSender
from lightwork.store.server.server import Look
from lightwork.store.server.watch import looking_pause

CHANNEL: Final = "lightwork"
ECHO: Final = 1.0
PROBE: Final = 5.0
# Then a look only finds what nobody waits for, such as heartbeats, and what no program of ours has written.
PAUSE_WITH_HINTS: Final = 2.0
_PAUSE: Final = 0.010
# Says who has sent it; stores of one program tell one another without the server.
_NOTIFY: Final = f"BEGIN; SET LOCAL synchronous_commit TO off; NOTIFY {CHANNEL}, '{{word}}'; COMMIT"
# After the sender, if what it tells of is not news to all. To an older program all of it is.
_KINDS: Final = {News.WORK: " submit", News.ENDS: " end"}
_NEWS: Final = {kind.strip(): news for news, kind in _KINDS.items()}
_PROGRAM: Final = secrets.token_hex(8)


class PostgresHints:
    """A thread that sends and one that listens, each started when it is first needed.

    Args:
        engine: Makes the listener's connection.
        look: Runs a closure in no transaction.
        note_own: Called after each word: to send one is a commit, too.
        cut: Makes whoever waits on a driver's connection fail at once.
    """

    def __init__(
        self,
        engine: Engine,
        look: Look,
        note_own: Callable[[], None],
        *,
        cut: Callable[[Any], None],
    ) -> None:
        self._look = look
        self._note_own = note_own
        # When the first word was sent that has not come back; 0: none is missing.
        self._missing_since = 0.0
        # A fork has another.
        self._name = f"{_PROGRAM}-{os.getpid()}"
        self._sender = HintSender(self._send, _PAUSE, is_quick=True)
        self._listener = HintListener(engine, self._hear, cut)

    def listen(self, on_hint: OnHint) -> None:
        """Begin to listen, if nobody does."""
        self._listener.start(on_hint)

    def send(self, news: News = News.ALL, *, may_wait: bool = False) -> None:
        """Tell the others soon that something was committed here, and to whom that is news."""
        self._sender.post(news, may_wait=may_wait)

    def word(self, news: News) -> str:
        """Return statements that send it, behind those of a commit in one message; "": it is to be sent after."""
        return self._notify(news) if self._sender.take_turn() else ""

    def are_heard(self) -> bool:
        """Whether what was sent has come back, or may still do."""
        if not self._listener.is_listening:
            return False
        since = self._missing_since
        return not since or monotonic() < since + ECHO

    def pause(self, idle: float) -> float:
        """Return how long nobody need look for changes."""
        return PAUSE_WITH_HINTS if self.are_heard() else looking_pause(idle)

    def close(self) -> None:
        """End both threads; what is due is not sent any more."""
        self._listener.close()
        self._sender.close()

    def _send(self, news: News) -> None:
        notify = self._notify(news)
        self._look(lambda connection: do(connection, notify))
        self._note_own()

    def _notify(self, news: News) -> str:
        # Before it is sent: the echo may be quicker than our return.
        self._missing_since = self._missing_since or monotonic()
        return _NOTIFY.format(word=self._name + _KINDS.get(news, ""))

    def _hear(self, driver: Any, on_hint: OnHint) -> None:
        """Listen until the connection is lost, or hears its own words no more."""
        driver.autocommit = True
        driver.execute(f"LISTEN {CHANNEL}")
        self._listener.is_listening = True
        # What was committed before is looked for once more, and an echo is asked for.
        self._missing_since = 0.0
        on_hint(News.ALL)
        self.send(News.WORK)
        probe_at = monotonic() + PROBE
        while not self._listener.is_closed and self.are_heard():
            for word in driver.notifies(timeout=ECHO):
                self._missing_since = 0.0
                self._listener.note_heard()
                probe_at = monotonic() + PROBE
                name, _, kind = word.payload.partition(" ")
                if name != self._name:
                    on_hint(_NEWS.get(kind, News.ALL))
            if monotonic() >= probe_at:
                probe_at = monotonic() + PROBE
                self.send(News.WORK)
