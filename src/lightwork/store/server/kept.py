"""Kept: connections on which each statement is a transaction by itself, ready for the next one.

A pool gives a connection out and takes it back with ceremony: its isolation is set and reset, and
objects are made that live for one statement. All that costs more than to execute the statement. So the few that
were used last stay as they are, outside of the pool. One of which anything was raised goes
back to the pool, or is thrown away; and so do all as soon as one is found to be dead.

What may not be done twice is not sent on one that is dead: nobody could say whether it took place. Whatever a
server says of itself to one that waits, it has ended it, and a look at the socket costs microseconds.
"""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine, exc

from lightwork.clock import monotonic

# So many wait for the next statement; others go back to the pool.
_MOST: Final = 2
# Seconds after which one is replaced, as in the pools.
_LONGEST_LIFE: Final = 1800.0


class Kept:
    """Those of one store.

    Args:
        engine: Makes them; its isolation level is AUTOCOMMIT.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_closed = False
        # The last one is taken first. A list's own steps are never cut in two by another thread.
        self._idle: list[tuple[Connection, float]] = []

    @property
    def has_idle(self) -> bool:
        """Whether one is at hand, most likely."""
        return bool(self._idle)

    @contextmanager
    def taken(self, *, is_once: bool) -> Iterator[Connection]:
        """Have one for the block; `is_once`: what is done with it may not be done twice."""
        connection, made_at = self._take(is_once=is_once)
        try:
            yield connection
            if connection.in_transaction():
                # SQLAlchemy's word for it; the server knows of none.
                connection.rollback()
        except BaseException as error:
            is_sound = isinstance(error, Exception) and not connection.invalidated
            is_lost = isinstance(error, exc.DBAPIError) and error.connection_invalidated
            if is_lost or connection.invalidated:
                # Whatever ended this one has ended the others, too.
                self._drop_idle()
            _end(connection, is_sound=is_sound)
            raise
        self._give_back(connection, made_at)

    def close(self) -> None:
        """Let go of all; idempotent. One that is in use is let go of afterwards."""
        self._is_closed = True
        self._drop_idle()

    def _take(self, *, is_once: bool) -> tuple[Connection, float]:
        try:
            connection, made_at = self._idle.pop()
        except IndexError:
            connection, made_at = self._engine.connect(), monotonic()
        if is_once and _is_dead(connection):
            # So may the others be, and those of the pool.
            self._drop_idle()
            self._engine.dispose()
        elif monotonic() - made_at < _LONGEST_LIFE:
            return connection, made_at
        _end(connection, is_sound=False)
        return self._engine.connect(), monotonic()

    def _give_back(self, connection: Connection, made_at: float) -> None:
        if self._is_closed or len(self._idle) >= _MOST:
            _end(connection, is_sound=True)
            return
        self._idle.append((connection, made_at))
        if self._is_closed:
            # Meanwhile: nobody else would.
            self._drop_idle()

    def _drop_idle(self) -> None:
        while self._idle:
            try:
                connection, _made_at = self._idle.pop()
            except IndexError:
                return
            _end(connection, is_sound=False)


def _is_dead(connection: Connection) -> bool:
    driver: Any = connection.connection.driver_connection
    if driver.closed:
        return True
    poll = select.poll()
    poll.register(driver.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _end(connection: Connection, *, is_sound: bool) -> None:
    """Give it back to the pool, or throw it away."""
    if not is_sound and not connection.invalidated:
        connection.invalidate()
    connection.close()
