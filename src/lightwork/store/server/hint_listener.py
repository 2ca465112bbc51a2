"""Hint listener: hears of other programs' commits on a connection of its own, and connects anew when it is lost.

A hint costs or saves latency and nothing else, so whatever goes wrong here is said in the log, and tried again: half a
second later at first, then twice as long each time, up to a minute, until something was heard.

`_changed` guards the fields.
"""

import contextlib
import functools
import logging
import threading
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from sqlalchemy import Engine

from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.store.contracts.news import News

log = logging.getLogger(__name__)

_SHORTEST_RETRY: Final = 0.5
_LONGEST_RETRY: Final = 60.0
_LONGEST_JOIN: Final = 2.0
# Called at each word, and told to whom that is news.
OnHint: TypeAlias = Callable[[News], None]


class HintListener:
    """A thread, started when it is first needed.

    Args:
        engine: Makes its connection.
        hear: Hears on a driver's connection, and calls `note_heard` when it does, until `is_closed` or lost, when
            it returns or raises.
        cut: Makes whoever waits on a driver's connection fail at once.

    Attributes:
        is_listening: Something was heard on the connection that there is.
        driver: That connection, as the driver knows it.
    """

    def __init__(
        self, engine: Engine, hear: Callable[[Any, OnHint], None], cut: Callable[[Any], None]
    ) -> None:
        self._engine = engine
        self._hear = hear
        self._cut = cut
        self.is_closed = self.is_listening = False
        self.driver: Any = None
        self._retry = _SHORTEST_RETRY
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()

    def start(self, on_hint: OnHint) -> None:
        """Begin to listen, if nobody does."""
        if self._thread is None:
            self._start(on_hint)

    def note_heard(self) -> None:
        """Note that words arrive: if the connection is lost, the next one is made soon."""
        self.is_listening, self._retry = True, _SHORTEST_RETRY

    def give_up(self) -> None:
        """Listen no more: nothing would be heard."""
        with Uninterrupted(), self._changed:
            self.is_closed = True
            self._changed.notify_all()

    def close(self) -> None:
        """End the thread."""
        with Uninterrupted(), self._changed:
            self.is_closed = True
            self._changed.notify_all()
            if self.driver is not None:
                self._cut(self.driver)
            thread = self._thread
        if thread is not None:
            # To make a connection may take longer; then the thread ends by itself.
            thread.join(_LONGEST_JOIN)

    def _start(self, on_hint: OnHint) -> None:
        with Uninterrupted(), self._changed:
            if self._thread is None and not self.is_closed:
                run = functools.partial(self._run, on_hint)
                thread = threading.Thread(target=run, name="lightwork-listen", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self, on_hint: OnHint) -> None:
        while not self.is_closed:
            try:
                self._listen(on_hint)
            except Exception as error:
                if not self.is_closed:
                    log.info("store_hints_lost error=%s", str(error).strip())
            self.is_listening = False
            with self._changed:
                self.driver = None
                self._changed.wait_for(lambda: self.is_closed, self._retry)
            self._retry = min(self._retry * 2, _LONGEST_RETRY)

    def _listen(self, on_hint: OnHint) -> None:
        connection = self._engine.raw_connection()
        driver: Any = connection.driver_connection
        connection.detach()
        with contextlib.closing(driver):
            with self._changed:
                if self.is_closed:
                    return
                self.driver = driver
            self._hear(driver, on_hint)
