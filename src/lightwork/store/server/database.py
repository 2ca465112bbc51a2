"""Database: one on a server, as one store uses it; see store/database.py for each method.

A forked child inherits sockets and no threads. Two processes on one connection would mix up
their answers, so a child uses nothing of what was open, closes nothing of it, and is told to open
the store again.

Tables are made in a database that has none. Those of an earlier program are not touched
unasked: other programs may be using them at this moment, on other machines.
"""

import contextlib
import os
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Pool, exc

from lightwork.errors import SchemaMismatch, StoreError, UsageError
from lightwork.store.contracts.news import News, never
from lightwork.store.server.server import Server
from lightwork.store.server.signs import NoSigns
from lightwork.store.server.soon import Soon
from lightwork.store.server.transactions import Transactions
from lightwork.store.server.watch import Watch
from lightwork.store.sql import schema
from lightwork.store.sql.spelling import Spelling
from lightwork.store.urls import not_ours, safe_url

T = TypeVar("T")


class ServerDatabase:
    """A pool of connections, a thread for what nobody waits for, and whoever watches."""

    def __init__(self, server: Server, url: URL, *, create: bool) -> None:
        self.url = url.render_as_string(hide_password=False)
        self.spelling: Spelling = server.spelling
        self.signs = NoSigns()
        self._server = server
        self._where = safe_url(self.url)
        # Whose connections are known to lead to this database.
        self._joined: weakref.WeakSet[Pool] = weakref.WeakSet()
        self._is_closed = False
        self._is_forked = False
        self._transactions = Transactions(
            server,
            url,
            self._where,
            on_commit=self._note_own,
            # Which do not exist yet.
            word=lambda news: self._hints.word(news),  # noqa: PLW0108 - see above
        )
        self._soon = Soon(self._where)
        engines = self._transactions.engines
        look, note_own = self._transactions.look, self._note_word
        self._hints = server.hints(engines.writing, look, note_own)
        self._watch = Watch(self._ask_for_changes, self._hints)
        self._sweeper = server.sweeper(look, self._where)
        try:
            self._prepare(create=create)
            self.largest_value = self._transactions.read(server.largest_value)
        except BaseException:
            self._hints.close()
            self._transactions.close()
            raise
        _living.add(self)

    def read(self, read: Callable[[Connection], T]) -> T:
        """Return what `read` returns, which sees one snapshot."""
        self._check_usable()
        return self._transactions.read(read)

    def look(self, look: Callable[[Connection], T]) -> T:
        """Return what `look` returns, each of whose statements sees a snapshot of its own."""
        self._check_usable()
        return self._transactions.look(look)

    def write(
        self,
        write: Callable[[Connection], T],
        *,
        is_quiet: bool = False,
        is_submit: bool = False,
        is_alone: bool = False,
        is_once: bool = False,
        is_end: Callable[[T], bool] = never,
    ) -> T:
        """Return what `write` returns once its transaction is committed."""
        self._check_usable()
        news = News.NONE if is_quiet else News.WORK if is_submit else News.ALL
        if is_alone:
            return self._transactions.write_alone(write, news, is_once=is_once, is_end=is_end)
        return self._transactions.write(write, news, is_end=is_end)

    def write_soon(
        self,
        write: Callable[[Connection], T],
        *,
        is_submit: bool = False,
        is_alone: bool = False,
        begin: Callable[[Connection], Callable[[], T]] | None = None,
    ) -> Future[T]:
        """Do the same without waiting; what can be begun is sent by the caller, and received by the thread."""
        self._check_usable()
        if begin is not None and self._soon.is_idle:
            news = News.WORK if is_submit else News.ALL
            receive = self._transactions.begin_alone(begin, write, news)
            if receive is not None:
                return self._posted(receive)
        return self._soon.post(lambda: self.write(write, is_submit=is_submit, is_alone=is_alone))

    def _posted(self, receive: Callable[[], T]) -> Future[T]:
        try:
            return self._soon.post(receive, is_begun=True)
        except BaseException:
            # Closed just now, or no thread can be had.
            receive()
            raise

    def join(self, connection: Connection) -> None:
        """Make a connection of the user's own ready for our statements: it needs nothing."""
        self._check_usable()
        pool = connection.engine.pool
        if pool in self._joined:
            return
        server = self._server
        is_ours = connection.dialect.name in server.dialects and connection.exec_driver_sql(
            server.identity
        ).scalar() == self._transactions.ask(server.identity)
        if not is_ours:
            raise not_ours(connection, self.url)
        self._joined.add(pool)

    def identity(self) -> object:
        """Return what the server says."""
        self._check_usable()
        return self._transactions.ask(self._server.identity)

    def note_commit(self) -> None:
        """Wake those who wait for changes, here and elsewhere."""
        if not (self._is_closed or self._is_forked):
            self._tell(News.ALL)

    def changes(self) -> int:
        """Return a number that differs after any commit by anybody."""
        self._check_usable()
        return self._watch.changes()

    def wait(self, seen: int, timeout: float, *, news: News = News.ALL) -> int:
        """Wait until `changes()` differs from `seen` or the time is up; return it."""
        self._check_usable()
        return self._watch.wait(seen, timeout, news=news)

    def sweep(self) -> None:
        """Begin to remove what is in the way of claims, if it is time."""
        self._check_usable()
        self._sweeper.sweep()

    def hurry(self) -> None:
        """Let no call wait for longer than a second any more."""
        self._transactions.hurry()

    def align_clock(self) -> float:
        """Do nothing: the server has a clock of its own."""
        return 0.0

    def close(self) -> None:
        """Write what was posted, then let go of threads and connections; idempotent."""
        if self._is_closed or self._is_forked:
            return
        self._soon.close()
        self._is_closed = True
        self._transactions.hurry()
        self._watch.notify()
        self._hints.close()
        self._sweeper.close()
        self._transactions.close()

    def _prepare(self, *, create: bool) -> None:
        if self._transactions.read(schema.is_current):
            return
        found = self._transactions.read(schema.revision)
        if found == schema.REVISIONS[-1]:
            # Another program has made them between the two looks.
            return
        if found:
            raise SchemaMismatch(
                f"store {self._where} has schema revision {found}, this program needs "
                f"{schema.REVISIONS[-1]}; run `lightwork db upgrade {self._where}` when no older "
                "program uses it any more"
            )
        if not create:
            raise StoreError(
                f"store {self._where} has no tables of lightwork; make them with "
                f"`lightwork db init {self._where}`"
            )
        self._transactions.write(lambda connection: make_tables(self._server, connection))

    def _note_own(self, news: News, is_told: bool) -> None:  # noqa: FBT001 - called by position
        self._note_word()
        if is_told:
            # To send word is a commit, too.
            self._note_word()
        if news:
            # Whoever comes here has just waited for the server.
            self._tell(news, may_wait=True, is_told=is_told)

    def _note_word(self) -> None:
        for database in list(_living):
            if database.url == self.url:
                database._watch.note_own()

    def _tell(self, news: News, *, may_wait: bool = False, is_told: bool = False) -> None:
        # Others of this program hear of it without the server.
        for database in list(_living):
            if database.url == self.url:
                database._watch.notify(news)
        if not is_told:
            self._hints.send(news, may_wait=may_wait)

    def _ask_for_changes(self) -> int:
        self._check_usable()
        return int(self._transactions.ask(self._server.changes))

    def _check_usable(self) -> None:
        if self._is_forked:
            raise StoreError(
                f"store {self._where} was opened before this process was forked; "
                "open it again in the child"
            )
        if self._is_closed:
            raise StoreError(f"store {self._where} was closed; open it again")


def make_tables(server: Server, connection: Connection) -> None:
    """Make the tables or bring them up to date, while no other program does."""
    with server.schema_lock(connection):
        if not schema.is_current(connection):
            schema.upgrade(connection)


@contextmanager
def connect(server: Server, url: URL) -> Iterator[Connection]:
    """Connect to a database that is there, to look at its tables whatever they are."""
    engines = server.make_engines(url)
    try:
        where = safe_url(url.render_as_string(hide_password=False))
        with driver_errors(server, where), engines.writing.connect() as connection:
            yield connection
    finally:
        engines.writing.dispose()


def upgrade(server: Server, url: URL) -> None:
    """Make the tables of a database, or bring them up to date."""
    with connect(server, url) as connection, connection.begin():
        make_tables(server, connection)


@contextmanager
def driver_errors(server: Server, where: str) -> Iterator[None]:
    """Turn what the driver raises in the block into errors about the store `where`."""
    try:
        yield
    except exc.DBAPIError as error:
        raise server.error_of(error, where) from error


def check_driver(server: Server, url: URL, extra: str) -> None:
    """Raise unless the driver of the URL can be imported.

    Raises:
        UsageError: It cannot; the text says what to install.
    """
    try:
        url.get_dialect().import_dbapi()
    except ImportError as error:
        raise UsageError(
            f"store {safe_url(url.render_as_string(hide_password=False))}: {server.name} needs a "
            f'driver, which is not installed ({error}); pip install "lightwork[{extra}]"'
        ) from error


_living: weakref.WeakSet[ServerDatabase] = weakref.WeakSet()
# Never collected: closing a connection in a child would end the parent's.
_inherited: list[Any] = []


def _be_forked() -> None:
    with contextlib.suppress(RuntimeError):
        for database in list(_living):
            database._is_forked = True
            _inherited.append(database._transactions)


os.register_at_fork(after_in_child=_be_forked)
