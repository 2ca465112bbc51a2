"""Hints: NOTIFY after commits and LISTEN, so that idle workers hear of jobs within a millisecond.

Never to be relied upon: a pooler that gives connections away after each transaction loses every
LISTEN without a word, and a listener's connection may be dead without anybody noticing. So what
is sent must come back to the sender: while it does, others are taken to be heard as well; when
it does not within ECHO seconds, watch.py asks the server more often, and the listener connects anew.

NOTIFY takes a lock of the whole cluster at its commit, so it is never part of a caller's
transaction: a thread sends one for all commits since the last, without waiting for the disk. On
a quiet system each commit is told at once; of many in a row a few are, then one in 10 ms.

A listener that has heard nothing for PROBE seconds asks for an echo itself: without a word to
send it would take a dead connection for a quiet system.

`_changed` guards the fields.
"""

import contextlib
import logging
import os
import secrets
import threading
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Engine

from lightwork.clock import monotonic
from lightwork.errors import StoreError
from lightwork.locks.uninterrupted import Uninterrupted

log = logging.getLogger(__name__)

CHANNEL: Final = "lightwork"
ECHO: Final = 1.0
PROBE: Final = 5.0
_PAUSE: Final = 0.010
# As many are sent without a pause: a job that is alone takes two.
_BURST: Final = 4.0
# Behind a pooler that loses it, the listener tries ever more seldom.
_SHORTEST_RETRY: Final = 0.5
_LONGEST_RETRY: Final = 60.0
_LONGEST_JOIN: Final = 2.0
# Says who has sent it; stores of one program tell one another without the server.
_NOTIFY: Final = (
    f"BEGIN; SET LOCAL synchronous_commit TO off; NOTIFY {CHANNEL}, '{{sender}}'; COMMIT"
)
_PROGRAM: Final = secrets.token_hex(8)


class PostgresHints:
    """A thread that sends and one that listens, each started when it is first needed.

    Args:
        engine: Makes the listener's connection.
        execute: Executes one statement in no transaction.
        cut: Makes whoever waits on a driver's connection fail at once.
    """

    def __init__(
        self, engine: Engine, execute: Callable[[str], object], *, cut: Callable[[Any], None]
    ) -> None:
        self._engine = engine
        self._execute = execute
        self._cut = cut
        self._is_due = False
        self._is_closed = False
        self._is_listening = False
        # When the first word was sent that has not come back; 0: none is missing.
        self._missing_since = 0.0
        self._retry = _SHORTEST_RETRY
        self._listener: Any = None
        self._credit, self._credited_at = _BURST, monotonic()
        # A fork has another.
        self._sender = f"{_PROGRAM}-{os.getpid()}"
        self._threads: dict[str, threading.Thread] = {}
        self._changed = threading.Condition()

    def listen(self, on_hint: Callable[[], None]) -> None:
        """Begin to listen, if nobody does."""
        self._start("lightwork-listen", lambda: self._listen(on_hint))

    def send(self) -> None:
        """Tell the others soon that something was committed here."""
        self._start("lightwork-notify", self._send)
        with self._changed:
            if not self._is_due:
                self._is_due = True
                self._changed.notify_all()

    def are_heard(self) -> bool:
        """Whether what was sent has come back, or may still do."""
        if not self._is_listening:
            return False
        since = self._missing_since
        return not since or monotonic() < since + ECHO

    def close(self) -> None:
        """End both threads; what is due is not sent any more."""
        with Uninterrupted(), self._changed:
            self._is_closed = True
            self._changed.notify_all()
            if self._listener is not None:
                self._cut(self._listener)
            threads = list(self._threads.values())
        for thread in threads:
            # To make a connection may take longer; then the thread ends by itself.
            thread.join(_LONGEST_JOIN)

    def _start(self, name: str, run: Callable[[], None]) -> None:
        if name in self._threads:
            return
        with Uninterrupted(), self._changed:
            if name not in self._threads and not self._is_closed:
                thread = threading.Thread(target=run, name=name, daemon=True)
                thread.start()
                self._threads[name] = thread

    def _send(self) -> None:
        while self._wait_until_due():
            # Before it is sent: the echo may be quicker than our return.
            self._missing_since = self._missing_since or monotonic()
            # The commits that it tells of are found without it.
            with contextlib.suppress(StoreError):
                self._execute(_NOTIFY.format(sender=self._sender))

    def _wait_until_due(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._is_due or self._is_closed)
            if (missing := 1.0 - self._credit_at(monotonic())) > 0:
                self._changed.wait_for(lambda: self._is_closed, missing * _PAUSE)
            self._credit = self._credit_at(monotonic()) - 1.0
            self._is_due = False
            return not self._is_closed

    def _credit_at(self, now: float) -> float:
        """Return how many may be sent now without a pause."""
        earned, self._credited_at = (now - self._credited_at) / _PAUSE, now
        self._credit = min(self._credit + earned, _BURST)
        return self._credit

    def _listen(self, on_hint: Callable[[], None]) -> None:
        while not self._is_closed:
            try:
                self._listen_once(on_hint)
            except Exception as error:
                if not self._is_closed:
                    log.info("store_hints_lost error=%s", str(error).strip())
            self._is_listening = False
            with self._changed:
                self._listener = None
                self._changed.wait_for(lambda: self._is_closed, self._retry)
            self._retry = min(self._retry * 2, _LONGEST_RETRY)

    def _listen_once(self, on_hint: Callable[[], None]) -> None:
        """Listen on a connection of its own until it is lost, or hears its own words no more."""
        connection = self._engine.raw_connection()
        driver: Any = connection.driver_connection
        connection.detach()
        try:
            driver.autocommit = True
            driver.execute(f"LISTEN {CHANNEL}")
            with self._changed:
                self._listener = driver
            self._is_listening = True
            # What was committed before is looked for once more, and an echo is asked for.
            self._missing_since = 0.0
            on_hint()
            self.send()
            probe_at = monotonic() + PROBE
            while not self._is_closed and self.are_heard():
                for word in driver.notifies(timeout=ECHO):
                    self._missing_since, self._retry = 0.0, _SHORTEST_RETRY
                    probe_at = monotonic() + PROBE
                    if word.payload != self._sender:
                        on_hint()
                if monotonic() >= probe_at:
                    probe_at = monotonic() + PROBE
                    self.send()
        finally:
            driver.close()
