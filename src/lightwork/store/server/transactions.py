"""Transactions: runs closures on a server, again where that is safe and helps.

    conflict          another transaction won (deadlock, serialization): undone, runs again
    dead connection   the pool's connection was gone before the commit was sent (the server was
                      started anew, an administrator ended it): undone, runs once more on a new one
    lost commit       the connection went while the commit was on its way: nobody here can
                      tell whether it took place, and the error says so; what is written alone and does no
                      harm if it is done twice runs once more before that
    no connection     said at once; whoever calls knows better whether to wait

A closure speaks to its connection and does nothing else, so it may run more than once. No
state is kept in a session: what a transaction needs is said in its BEGIN. So a pooler that gives
a connection to another client after each transaction does no harm.

There are at most MOST transactions at a time; who comes later waits for the end of another.
"""

import asyncio
import functools
import queue
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, Engine, event, exc
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.pool import ConnectionPoolEntry

from lightwork.clock import call_seconds_left, monotonic
from lightwork.errors import StoreError, StoreUnavailable
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.store.contracts.news import News, never
from lightwork.store.server.connecting import connect_until
from lightwork.store.server.deadlines import Deadlines
from lightwork.store.server.kept import Kept
from lightwork.store.server.server import Server

T = TypeVar("T")

# How long a call may take where a whole event loop, or whoever wants to end, waits for it.
SHORT: Final = 1.0
MOST: Final = 20
_NEVER: Final = float("inf")
# How late who waits for a connection notices that it is to hurry.
_NOTICE: Final = 0.1
# Conflicts in a row; the pauses between them add up to about two seconds.
_MOST_TRIES: Final = 12
_FIRST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.5
_ADVICE: Final = (
    ". Nobody waits for longer in a thread that runs an event loop: `await "
    "executor.submit_async(...)`, or what else has such a form, lets the loop go on"
)
# What else begins with WITH moves jobs.
_READS: Final = ("SELECT", "WITH RECURSIVE")
_HAS_WRITTEN: Final = "lightwork_has_written"
_WORD: Final = "lightwork_word"
_TOLD: Final = "lightwork_told"


class _Try:
    """How far one run of a closure has come, and how many seconds it has had at first."""

    seconds = _NEVER
    is_committing = False
    is_cut = False
    # Word of it was sent with it.
    is_told = False

    def __init__(self, *, is_alone: bool, is_once: bool) -> None:
        # Each statement is a commit ...
        self.is_alone = is_alone
        # ... which may be executed again if nobody knows whether it took place, or may not.
        self.is_once = is_once


class Transactions:
    """Those of one store; any thread may ask for one.

    Args:
        where: The store, as it may be shown.
        on_commit: Called after each with to whom it is news, and whether other programs were told; returns at once.
        word: Returns statements that tell them, for the end of a message that commits; "": they are told after.
    """

    def __init__(
        self,
        server: Server,
        url: URL,
        where: str,
        *,
        on_commit: Callable[[News, bool], None],
        word: Callable[[News], str],
    ) -> None:
        self._server = server
        self._where = where
        self.engines = server.make_engines(url)
        self._on_commit = on_commit
        self._word = word
        for engine in self.engines.of_pools():
            event.listen(engine, "handle_error", _note_disconnect)
        event.listen(self.engines.writing, "before_cursor_execute", _note_write)
        self._kept = Kept(self.engines.alone) if self.engines.is_kept else None
        self._deadlines = Deadlines(server.cut)
        # Not a semaphore, whose own lock stays taken if a Ctrl-C comes in the middle of it.
        self._free: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(MOST):
            self._free.put(None)
        # When all must have ended, once somebody is in a hurry.
        self._hurried_until = _NEVER

    def read(self, read: Callable[[Connection], T]) -> T:
        """Return what `read` returns, which sees one snapshot."""
        return self._run(self.engines.reading, read)

    def look(self, look: Callable[[Connection], T]) -> T:
        """Return what `look` returns, each of whose statements sees a snapshot of its own."""
        return self._run(self.engines.asking, look)

    def write(
        self,
        write: Callable[[Connection], T],
        news: News = News.ALL,
        *,
        is_end: Callable[[T], bool] = never,
    ) -> T:
        """Return what `write` returns once its transaction is committed.

        One that has only read is not: to every program a commit is news. `is_end`: told what `write` has
        returned; whether it is none to who waits for work.
        """
        return self._run(self.engines.writing, write, news=news, is_end=is_end)

    def write_alone(
        self,
        write: Callable[[Connection], T],
        news: News = News.ALL,
        *,
        is_once: bool = False,
        is_end: Callable[[T], bool] = never,
    ) -> T:
        """Return what `write` returns, of whose statements one writes and commits itself.

        What is cut off would take place all the same, as soon as nobody holds it up any more. So who may
        wait for a moment only has a transaction, of which nothing stays.
        """
        if self._patience() != _NEVER:
            return self.write(write, news, is_end=is_end)
        return self._run(
            self.engines.alone, write, news=news, is_end=is_end, is_alone=True, is_once=is_once
        )

    def begin_alone(
        self,
        begin: Callable[[Connection], Callable[[], T]],
        write: Callable[[Connection], T],
        news: News = News.ALL,
    ) -> Callable[[], T] | None:
        """Let `begin` send a statement that commits itself, if there is a connection at hand for it.

        Returns:
            What waits for the answer, and is to be called once, by any thread; what fails is written once more by
            `write`, as ever. None: nothing was sent.
        """
        if self._kept is None or self._patience() != _NEVER or not self._kept.has_idle:
            return None
        with Uninterrupted():
            has_turn = not self._free.empty() and self._take_turn()
        if not has_turn:
            return None
        held = ExitStack()
        held.callback(self._free.put, None)
        try:
            with held:
                receive = self._begin(held, self._kept, begin)
                held = held.pop_all()
        except Exception:
            # Most likely the connection was dead; how much of it was sent nobody knows.
            return lambda: self._again(write, news, is_doubtful=True)
        return lambda: self._received(held, receive, write, news)

    def _begin(
        self, held: ExitStack, kept: Kept, begin: Callable[[Connection], Callable[[], T]]
    ) -> Callable[[], T]:
        connection = held.enter_context(kept.taken(is_once=False))
        held.enter_context(self._deadlines.of(connection.connection.driver_connection, _NEVER))
        held.push(functools.partial(_invalidate, connection))
        return begin(connection)

    def _received(
        self,
        held: ExitStack,
        receive: Callable[[], T],
        write: Callable[[Connection], T],
        news: News,
    ) -> T:
        try:
            with held:
                result = receive()
        except Exception as error:
            return self._again(write, news, is_doubtful=not isinstance(error, NotWritten))
        self._on_commit(news, False)
        return result

    def _again(self, write: Callable[[Connection], T], news: News, *, is_doubtful: bool) -> T:
        return self._run(
            self.engines.alone,
            write,
            news=news,
            is_alone=True,
            is_once=False,
            is_doubtful=is_doubtful,
        )

    def ask(self, statement: str) -> Any:
        """Execute one statement by itself; return the last value of the first row, if there is one."""

        def ask(connection: Connection) -> Any:
            found = connection.exec_driver_sql(statement)
            row = found.first() if found.returns_rows else None
            return row[-1] if row else None

        return self._run(self.engines.asking, ask)

    def hurry(self) -> None:
        """Let nothing take longer than SHORT any more, what runs now included."""
        self._hurried_until = min(self._hurried_until, monotonic() + SHORT)
        self._deadlines.hurry(self._hurried_until)

    def close(self) -> None:
        """Let go of the connections; idempotent."""
        self._deadlines.close()
        if self._kept is not None:
            self._kept.close()
        for engine in self.engines.of_pools():
            # Whoever has a connection still will give it back to a pool that nobody closes any more.
            event.listen(engine.pool, "checkin", _close_late)
            engine.dispose()

    def _run(
        self,
        engine: Engine,
        work: Callable[[Connection], T],
        *,
        news: News = News.NONE,
        is_end: Callable[[T], bool] = never,
        is_alone: bool = False,
        is_once: bool = True,
        is_doubtful: bool = False,
    ) -> T:
        seconds = self._patience()
        until = monotonic() + seconds
        tries = 0
        while True:
            step = _Try(is_alone=is_alone, is_once=is_once)
            step.seconds = seconds
            try:
                with self._turn(until):
                    result = self._try(engine, work, until, step)
            except exc.DBAPIError as error:
                # Of any try: what an earlier one may have done no later error undoes.
                is_doubtful |= step.is_committing and error.connection_invalidated
                pause = self._pause_before_next(error, step, tries)
                if pause is None or monotonic() + pause >= until:
                    raise self._error(error, step, is_doubtful=is_doubtful) from error
            else:
                if step.is_committing:
                    told = news & News.ENDS if is_end(result) else news
                    self._on_commit(told, step.is_told)
                return result
            tries += 1
            time.sleep(pause)

    @contextmanager
    def _turn(self, until: float) -> Iterator[None]:
        """Wait until fewer than MOST transactions run; a connection that is made has until then."""
        has_turn = False
        try:
            while not has_turn:
                # With so many at work a Ctrl-C is late by a moment; cut off in here, it would take a turn away.
                with Uninterrupted():
                    has_turn = self._take_turn()
                if not has_turn and monotonic() > min(until, self._hurried_until):
                    raise StoreUnavailable(
                        f"store {self._where}: {MOST} transactions of this program run already, and "
                        "none has ended in time; nothing was changed"
                    )
            connect_until.set(until)
            yield
        finally:
            if has_turn:
                self._free.put(None)

    def _take_turn(self) -> bool:
        try:
            self._free.get(timeout=_NOTICE)
        except queue.Empty:
            return False
        return True

    def _try(self, engine: Engine, work: Callable[[Connection], T], until: float, step: _Try) -> T:
        if self._kept is not None and engine is self.engines.alone:
            return self._try_alone(self._kept, work, until, step)
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            with self._deadlines.of(driver, until) as deadline:
                try:
                    with connection.begin() as transaction:
                        connection.info[_HAS_WRITTEN] = False
                        step.is_committing = step.is_alone
                        result = work(connection)
                        if connection.info[_HAS_WRITTEN]:
                            step.is_committing = True
                        else:
                            transaction.rollback()
                finally:
                    step.is_cut = deadline.is_over
        return result

    def _try_alone(
        self, kept: Kept, work: Callable[[Connection], T], until: float, step: _Try
    ) -> T:
        with kept.taken(is_once=step.is_alone and step.is_once) as connection:
            driver = connection.connection.driver_connection
            with self._deadlines.of(driver, until) as deadline:
                step.is_committing = connection.info[_HAS_WRITTEN] = step.is_alone
                connection.info[_TOLD] = False
                connection.info[_WORD] = self._word
                try:
                    result = work(connection)
                finally:
                    step.is_cut = deadline.is_over
                step.is_told = connection.info[_TOLD]
                step.is_committing = step.is_alone and connection.info[_HAS_WRITTEN]
                return result

    def _patience(self) -> float:
        is_short = self._hurried_until != _NEVER or asyncio._get_running_loop() is not None
        return min(SHORT if is_short else _NEVER, call_seconds_left())

    def _pause_before_next(self, error: exc.DBAPIError, step: _Try, tries: int) -> float | None:
        """Return how many seconds to wait before another try; None: there is none."""
        if step.is_cut:
            return None
        if error.connection_invalidated:
            may_be_done = step.is_committing and step.is_once
            return None if may_be_done or tries else 0.0
        if self._server.is_conflict(error) and tries < _MOST_TRIES:
            longest = min(_FIRST_PAUSE * (1 << tries), _LONGEST_PAUSE)
            return random.uniform(0.5, 1.0) * longest
        return None

    def _error(self, error: exc.DBAPIError, step: _Try, *, is_doubtful: bool) -> StoreError:
        if is_doubtful:
            return StoreUnavailable(
                f"store {self._where}: the connection was lost during the commit, which may have "
                "taken place; submit again with the same ids to find out"
            )
        if step.is_cut:
            # Of one that was to end at any time, until somebody was in a hurry: SHORT.
            seconds = SHORT if step.seconds == _NEVER else round(step.seconds, 1)
            in_loop = asyncio._get_running_loop() is not None
            advice = _ADVICE if in_loop and self._hurried_until == _NEVER else ""
            return StoreUnavailable(
                f"store {self._where}: no answer for {seconds:g} s, because of somebody's lock or "
                f"because {self._server.name} hangs; nothing was changed{advice}"
            )
        return self._server.error_of(error, self._where)


class NotWritten(Exception):  # noqa: N818 - an answer; it is written once more, and seen by nobody
    """The server has answered that it has not done what was begun."""


def _invalidate(
    connection: Connection, _kind: object, error: BaseException | None, _trace: object
) -> None:
    """Leave a connection to nobody of which it is not known what it is waiting for."""
    if error is not None and not isinstance(error, NotWritten):
        connection.invalidate()


def note_no_write(connection: Connection) -> None:
    """Note that a statement which could have written has found nothing to write."""
    connection.info[_HAS_WRITTEN] = False


def word_of(connection: Connection, news: News) -> str:
    """Return statements that tell other programs, for the end of a message that commits; "": they are told after.

    Of a connection on which each statement is a transaction by itself.
    """
    word: str = connection.info[_WORD](news)
    return word


def note_told(connection: Connection) -> None:
    """Note that they were executed."""
    connection.info[_TOLD] = True


def _note_disconnect(context: ExceptionContext) -> None:
    """Tell SQLAlchemy of a lost connection whose error it does not know for one."""
    # psycopg cut off in the middle of many rows: "cannot exit pipeline mode while busy".
    if context.connection is not None and not context.is_disconnect:
        driver: Any = context.connection.connection.driver_connection
        is_open = driver.open if hasattr(driver, "open") else not driver.closed
        context.is_disconnect = not is_open


def _note_write(connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
    if not statement.startswith(_READS):
        connection.info[_HAS_WRITTEN] = True


def _close_late(_driver: object, record: ConnectionPoolEntry) -> None:
    record.invalidate()
