"""Hint sender: tells other programs of commits, without keeping the one who commits.

A thread sends one word for all commits since the last, and to whom any of these is news. On a quiet system each commit is told at once;
of many in a row a few are, then one in a pause. Where to send one takes less than to wake a thread, whoever has committed sends the
first of these, unless an event loop would stand still for it; whoever commits all the time is not held up.

`_changed` guards the fields.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Final

from lightwork.clock import monotonic
from lightwork.errors import StoreError
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.store.contracts.news import News

log = logging.getLogger(__name__)

# As many are sent without a pause: a job that is alone takes two.
_BURST: Final = 4.0
# As many of these are kept for the thread.
_RESERVE: Final = 2.0
_LONGEST_JOIN: Final = 2.0


class HintSender:
    """A thread, started when it is first needed.

    Args:
        send: Sends one word, told to whom that is news.
        pause: Seconds in which one is sent, of many.
        is_quick: To send one takes less than to wake a thread.
    """

    def __init__(
        self, send: Callable[[News], None], pause: float, *, is_quick: bool = False
    ) -> None:
        self._send = send
        self._pause = pause
        self._is_quick = is_quick
        # To whom there is news that was not told yet.
        self._due = News.NONE
        self._is_closed = False
        self._credit, self._credited_at = _BURST, monotonic()
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()

    def post(self, news: News = News.ALL, *, may_wait: bool = False) -> None:
        """Send a word soon, unless one is about to be sent; `may_wait`: here, if that is quick."""
        if may_wait and self.take_turn():
            self._send_now(news)
            return
        if self._thread is None:
            self._start()
        if news in self._due:
            # What is sent tells of it: it is committed.
            return
        with Uninterrupted(), self._changed:
            due, self._due = self._due, self._due | news
            if not due:
                self._changed.notify_all()

    def take_turn(self) -> bool:
        """Return whether a word may be sent at once, and by this thread; then it is to be sent."""
        if not self._is_quick or asyncio._get_running_loop() is not None:
            return False
        with Uninterrupted(), self._changed:
            if self._due or self._is_closed or self._credit_at(monotonic()) < 1 + _RESERVE:
                return False
            self._credit -= 1.0
            return True

    def close(self) -> None:
        """End the thread; what is due is not sent any more."""
        with Uninterrupted(), self._changed:
            self._is_closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            # To make a connection may take longer; then the thread ends by itself.
            thread.join(_LONGEST_JOIN)

    def _start(self) -> None:
        with Uninterrupted(), self._changed:
            if self._thread is None and not self._is_closed:
                thread = threading.Thread(target=self._run, name="lightwork-notify", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while news := self._wait_until_due():
            self._send_now(news)

    def _send_now(self, news: News) -> None:
        # The commits that it tells of are found without it, and the next word may get through.
        try:
            self._send(news)
        except StoreError as error:
            log.debug("store_hint_not_sent error=%s", error)
        except Exception:
            log.exception("store_hint_not_sent")

    def _wait_until_due(self) -> News:
        """Return to whom what is to be told is news; NONE: nothing is to be told any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._due or self._is_closed)
            if (missing := 1.0 - self._credit_at(monotonic())) > 0:
                self._changed.wait_for(lambda: self._is_closed, missing * self._pause)
            self._credit = self._credit_at(monotonic()) - 1.0
            due, self._due = self._due, News.NONE
            return News.NONE if self._is_closed else due

    def _credit_at(self, now: float) -> float:
        """Return how many may be sent now without a pause."""
        earned, self._credited_at = (now - self._credited_at) / self._pause, now
        self._credit = min(self._credit + earned, _BURST)
        return self._credit
