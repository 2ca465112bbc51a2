"""Writer: the one thread of a process that writes a SQLite file.

SQLite takes one writer at a time, and a commit that survives a power cut costs
one fsync however much it contains. So callers do not write: they post a closure
and wait. The thread takes whatever has been posted meanwhile into one transaction
and commits once (group commit): the more callers, the less each pays.

    post(write) ─┐                                       ┌─> result of write
    post(write) ─┼─> waiting ─> lock, BEGIN IMMEDIATE,   ├─> result of write
    post(write) ─┘              take all, run, COMMIT ───┴─> its own error

Invariants
- A caller gets its result only after the commit that contains it, and after a look
  whether the file that was written is still the one at the path. There is one before
  the commit as well.
- Closures are taken only once the database is ours. One whose caller gave up
  before that never runs; one that was taken is waited for, so that a caller
  always knows whether its write happened.
- One closure's error rolls back that closure alone (a savepoint each, none when
  there is just one).

Failure handling
- BEGIN or COMMIT fails: everybody in the batch gets the mapped error.
- SQLite itself rolls the whole transaction back (disk full, I/O error): what had
  run in it is lost, so each closure runs again in a transaction of its own. A
  closure must therefore do nothing but speak to its connection.
- After a failure of the transaction the connection is replaced.

`_posted` guards `_waiting`, `_is_closed` and `_thread`. The thread alone touches
the connection.
"""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from sqlalchemy import Connection, Engine, exc

from lightwork.clock import call_seconds_left, monotonic
from lightwork.errors import StoreError, StoreUnavailable
from lightwork.locks.lazy_condition import LazyCondition
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.store.contracts.news import News, never
from lightwork.store.sqlite.errors import driver_errors, store_error
from lightwork.store.sqlite.filelock import FileLock
from lightwork.store.sqlite.fork_gate import ForkGate
from lightwork.store.sqlite.wal import Wal
from lightwork.store.sqlite.watch import version_of

T = TypeVar("T")

# Bounds how long the first of a batch waits for the commit that contains it.
MAX_BATCH: Final = 256
# Longer than SQLite's own busy time-out of 30 s, so that its words arrive first.
PATIENCE: Final = 60.0
# Where a whole event loop stands still meanwhile.
LOOP_PATIENCE: Final = 1.0
# Where whoever calls wants to end, whatever the database does.
HURRIED_PATIENCE: Final = 1.0
# How late a waiting caller notices that.
_NOTICE: Final = 0.1
_ADVICE: Final = (
    ". Nobody waits for longer in a thread that runs an event loop: `await "
    "executor.submit_async(...)`, or what else has such a form, lets the loop go on"
)


class _Promise(Future[Any]):
    """A future whose lock no Ctrl-C in the main thread can leave taken: the writer needs it."""

    def __init__(self) -> None:
        super().__init__()
        self._condition = LazyCondition()  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    """A posted closure and the promise of its result."""

    write: Callable[[Connection], Any]
    news: News = News.ALL
    is_end: Callable[[Any], bool] = never
    promise: Future[Any] = field(default_factory=_Promise)

    def news_of(self, result: Any) -> News:
        """Return to whom it is news, now that it has returned this."""
        return self.news & News.ENDS if self.is_end(result) else self.news


class _TransactionLost(Exception):  # noqa: N818 - never leaves this file
    """SQLite gave up the whole transaction, not just one statement."""


class Writer:
    """Runs posted closures in transactions, many in one commit.

    Args:
        on_begin: Called in each transaction before anything is written: from here on nobody else commits.
        on_commit: Called after each commit with what says whether nobody else has committed since then,
            and to whom it is news.
        check: Raises if what is committed does not last.
        wal: Looked after once callers have their results.
    """

    def __init__(
        self,
        engine: Engine,
        lock: FileLock,
        where: str,
        *,
        on_begin: Callable[[], None],
        on_commit: Callable[[Callable[[], bool], News], None],
        gate: ForkGate,
        check: Callable[[], None],
        wal: Wal,
    ) -> None:
        self._engine = engine
        self._lock = lock
        self._where = where
        self._on_begin = on_begin
        self._on_commit = on_commit
        self._gate = gate
        self._check = check
        self._wal = wal
        self._connection: Connection | None = None
        self._waiting: deque[_Turn] = deque()
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self._posted = threading.Condition()
        # How often it has begun or ended to have the file for itself; odd: it has it now.
        self.steps = 0

    def post(
        self,
        write: Callable[[Connection], T],
        *,
        patience: float | None = None,
        is_hurried: Callable[[], bool] = lambda: False,
        news: News = News.ALL,
        is_end: Callable[[T], bool] = never,
    ) -> T:
        """Run `write` in a transaction and return its result once that is committed.

        Args:
            write: Speaks to the connection and nothing else; may run twice.
            patience: Seconds to wait for the database before giving up; None: PATIENCE, and
                LOOP_PATIENCE in a thread that runs an event loop.
            is_hurried: Asked while it waits; once it says so, HURRIED_PATIENCE is left.
            news: To whom it is some.
            is_end: Told what `write` has returned; whether it is none to who waits for work.

        Raises:
            StoreUnavailable: The database stayed locked; `write` has not run and will not.
        """
        turn = _Turn(write, news, is_end)
        advice = ""
        if patience is None:
            patience = PATIENCE
            if asyncio._get_running_loop() is not None:
                patience, advice = LOOP_PATIENCE, _ADVICE
        patience = min(patience, call_seconds_left())
        try:
            self._append(turn)
            return cast("T", _result(turn.promise, patience, is_hurried))
        except TimeoutError:
            if not turn.promise.cancel():
                # Taken meanwhile, or the closure's own TimeoutError: its end is near.
                return cast("T", turn.promise.result())
            raise StoreUnavailable(
                f"store {self._where}: could not be written for {patience:g} s; the lock was last "
                f"taken by process {self._lock.last_holder()}; if that hangs, end it{advice}"
            ) from None
        except BaseException:
            turn.promise.cancel()
            raise

    def post_soon(self, write: Callable[[Connection], T], news: News = News.ALL) -> Future[T]:
        """Do the same without waiting; the promise is kept when it is committed."""
        turn = _Turn(write, news)
        self._append(turn)
        return turn.promise

    def close(self, *, patience: float = PATIENCE) -> None:
        """Write what was posted, then end the thread; idempotent."""
        with Uninterrupted(), self._posted:
            self._is_closed = True
            thread = self._thread
            if all(turn.promise.cancelled() for turn in self._waiting):
                # It may still wait for a lock, to write nothing.
                patience = min(patience, HURRIED_PATIENCE / 2)
            self._posted.notify()
        if thread is not None:
            thread.join(patience)

    def close_inherited(self) -> None:
        """Let go of the connection in a forked child, where the thread does not exist."""
        self._disconnect()

    def _append(self, turn: _Turn) -> None:
        # A Ctrl-C in here would leave everybody without a thread, or with a lock taken.
        with Uninterrupted(), self._posted:
            if self._is_closed:
                raise StoreError(f"store {self._where} was closed; open it again")
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="lightwork-writer", daemon=True)
                thread.start()
                self._thread = thread
            self._waiting.append(turn)
            self._posted.notify()

    def _run(self) -> None:
        while self._wait_for_turns():
            try:
                with self._lock, self._gate.inside(), self._at_work():
                    self._write_waiting()
                    self._look_after(self._wal.cut)
                with self._gate.inside(), self._at_work():
                    self._look_after(self._wal.copy)
            except (OSError, ValueError) as error:
                # The lock file's disk is gone: nobody can write, and everybody must hear of it.
                _fail(self._take(), self._named(error))
        with self._gate.inside():
            self._disconnect()

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        self.steps += 1
        try:
            yield
        finally:
            self.steps += 1

    def _wait_for_turns(self) -> bool:
        with self._posted:
            while not self._waiting and not self._is_closed:
                self._posted.wait()
            return bool(self._waiting)

    def _take(self) -> list[_Turn]:
        with self._posted:
            count = min(len(self._waiting), MAX_BATCH)
            turns = [self._waiting.popleft() for _ in range(count)]
        return [turn for turn in turns if turn.promise.set_running_or_notify_cancel()]

    def _write_waiting(self) -> None:
        turns: list[_Turn] = []
        try:
            connection = self._connected()
            connection.begin()
            turns = self._take()
            self._write(connection, turns)
        except _TransactionLost:
            self._disconnect()
            for turn in turns:
                self._write_alone(turn)
        except BaseException as error:  # whoever waits must hear of it, whatever it was
            self._disconnect()
            _fail(turns or self._take(), self._named(error))

    def _write_alone(self, turn: _Turn) -> None:
        try:
            connection = self._connected()
            connection.begin()
            self._write(connection, [turn])
        except BaseException as error:
            self._disconnect()
            _fail([turn], self._named(error))

    def _write(self, connection: Connection, turns: Sequence[_Turn]) -> None:
        """Run the turns and commit; raise _TransactionLost if they must run again."""
        self._on_begin()
        before, version = _changes(connection), _others(connection)
        ends = [
            (turn, *self._run_turn(connection, turn, has_neighbours=len(turns) > 1))
            for turn in turns
        ]
        try:
            # Before: what cannot be acknowledged is not written either. After: what happens
            # during the commit counts too.
            self._check()
            connection.commit()
            self._check()
        except BaseException as error:
            self._disconnect()
            _fail(turns, self._named(error))
            return
        if _changes(connection) != before:
            news = News.NONE
            for turn, result, failure in ends:
                news |= News.NONE if failure is not None else turn.news_of(result)
            self._on_commit(lambda: version == _others(connection) != -1, news)
        for turn, result, failure in ends:
            if failure is None:
                turn.promise.set_result(result)
            else:
                turn.promise.set_exception(failure)

    def _run_turn(
        self, connection: Connection, turn: _Turn, *, has_neighbours: bool
    ) -> tuple[Any, BaseException | None]:
        driver = connection.connection.driver_connection
        assert driver is not None
        if has_neighbours:
            driver.execute("SAVEPOINT turn")
        try:
            result = turn.write(connection)
        except BaseException as error:  # the caller's closure: its error is the caller's
            if has_neighbours and not driver.in_transaction:
                raise _TransactionLost from error
            driver.execute("ROLLBACK TO turn") if has_neighbours else connection.rollback()
            if has_neighbours:
                driver.execute("RELEASE turn")
            return None, self._named(error)
        if has_neighbours:
            driver.execute("RELEASE turn")
        return result, None

    def _look_after(self, care: Callable[[sqlite3.Connection], None]) -> None:
        if self._connection is not None:
            driver = self._connection.connection.driver_connection
            assert driver is not None
            care(driver)

    def _connected(self) -> Connection:
        if self._connection is None:
            with driver_errors(self._where):
                self._connection = self._engine.connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # Not returned to a pool: a connection in an unknown state is of no use.
            connection.invalidate()
            connection.close()

    def _named(self, error: BaseException) -> BaseException:
        """Return the error as the caller should see it, the driver's as its cause."""
        if isinstance(error, OSError):
            return StoreUnavailable(f"store {self._where}: its lock file failed: {error}")
        if not isinstance(error, (exc.DBAPIError, sqlite3.Error)):
            return error
        named = store_error(error, self._where)
        try:
            self._check()
        except StoreError as gone:
            named = gone
        named.__cause__ = error
        return named


def _result(promise: Future[T], patience: float, is_hurried: Callable[[], bool]) -> T:
    deadline = monotonic() + patience
    has_hurried = False
    while True:
        left = deadline - monotonic()
        try:
            return promise.result(max(min(left, _NOTICE), 0.0))
        except TimeoutError:
            if promise.done() or left <= _NOTICE:
                raise
        if not has_hurried and is_hurried():
            has_hurried = True
            deadline = min(deadline, monotonic() + HURRIED_PATIENCE)


def _changes(connection: Connection) -> int:
    driver = connection.connection.driver_connection
    assert driver is not None
    return int(driver.total_changes)


def _others(connection: Connection) -> int:
    """Return what differs after each commit by another connection than this one."""
    driver = connection.connection.driver_connection
    assert driver is not None
    try:
        return version_of(driver)
    except sqlite3.Error:
        # What was committed is; whoever looks finds out.
        return -1


def _fail(turns: Sequence[_Turn], error: BaseException) -> None:
    for turn in turns:
        if not turn.promise.done():
            turn.promise.set_exception(error)
