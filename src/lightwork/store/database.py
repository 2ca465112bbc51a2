"""Database: what a store needs of the database that keeps it.

Five methods are the database: `read` and `write`, a transaction each; `changes` and `wait`,
which tell that somebody has committed; `close`. The rest is here because no operation
could do it with a connection alone:

    look            a statement is a snapshot by itself; a transaction costs two messages more
    url, spelling   what it is called, and what its dialect says differently
    write_soon      a submit in an event loop, or a lease, must not wait for the commit
    join            a job may be submitted in a transaction of the user's own
    identity        two URLs may lead to one database
    note_commit     of whose commit those who wait would hear late
    hurry           whoever wants to end must not wait for the lock of somebody else
    sweep           dead rows are the business of one kind of server, and on a thread of its own
    align_clock     a file has no clock of its own
    signs           the kernel knows at once that a process has died, and a lease late; but
                    only where all programs of a store run under one kernel

What is done with a URL before anything is open says opening.py.
"""

import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from lightwork.store.contracts.news import News, never
from lightwork.store.sql.spelling import Spelling

T = TypeVar("T")


class Database(Protocol):
    """One database, as one store uses it; any thread may call.

    Driver errors come out as errors of errors.py, and after `close` everything raises
    StoreError.
    """

    @property
    def url(self) -> str:
        """The URL that opens it again, password included."""

    @property
    def largest_value(self) -> int:
        """How many bytes it keeps as one value, whoever sends it."""

    @property
    def spelling(self) -> Spelling:
        """What it says differently from others."""

    @property
    def signs(self) -> "Signs":
        """What is known of its workers beside their leases."""

    def read(self, read: Callable[[Connection], T]) -> T:
        """Return what `read` returns, which sees one snapshot."""

    def look(self, look: Callable[[Connection], T]) -> T:
        """Return what `look` returns, each of whose statements sees a snapshot of its own."""

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
        """Return what `write` returns once its transaction is committed.

        Args:
            write: Speaks to its connection and does nothing else: it may run twice.
            is_quiet: Nobody waits for what it changes: who waits may hear of it late.
            is_submit: It only brings new jobs: who waits for the ends of others may hear of it late.
            is_alone: Only one of its statements writes, and does no harm if it is executed and
                committed twice: it can do without a transaction around it.
            is_once: That would do harm all the same: whoever calls is told if nobody knows whether it
                took place.
            is_end: Told what `write` has returned: whether it only brings ends of jobs, and nothing can
                begin for these: who waits for work may hear of it late.
        """

    def write_soon(
        self,
        write: Callable[[Connection], T],
        *,
        is_submit: bool = False,
        is_alone: bool = False,
        begin: Callable[[Connection], Callable[[], T]] | None = None,
    ) -> Future[T]:
        """Do the same without waiting; a future that can be cancelled has written nothing.

        Args:
            write: Speaks to the connection.
            is_submit: See `write`.
            is_alone: See `write`.
            begin: Sends what `write` does, without waiting, and returns what waits for the answer and raises if
                it is not that all was written; called at once, or not at all.
        """

    def join(self, connection: Connection) -> None:
        """Make a connection of the user's own ready for our statements.

        Raises:
            UsageError: It leads to another database.
        """

    def identity(self) -> object:
        """Return what no other database has, whatever URLs lead to it."""

    def note_commit(self) -> None:
        """Wake those who wait for changes: a transaction of somebody's own has committed."""

    def changes(self) -> int:
        """Return a number that differs after any commit by anybody."""

    def wait(self, seen: int, timeout: float, *, news: News = News.ALL) -> int:
        """Do what Store.wait_for_change says, of commits that are news to who waits for this."""

    def sweep(self) -> None:
        """Begin to remove what is in the way of claims, if it is time; returns at once."""

    def hurry(self) -> None:
        """Let no call wait for longer than a second any more, those that wait now included."""

    def align_clock(self) -> float:
        """Do what Store.align_clock says."""

    def close(self) -> None:
        """Let go of files, connections and threads; idempotent."""


class Signs(Protocol):
    """Signs of life: which workers live and which have died, told without the database.

    Where the kernel cannot tell, nothing is known of anybody, and leases decide alone.
    """

    def begin(self, worker_id: uuid.UUID, lease: float) -> None:
        """Say from now on that a worker of this process lives."""

    def knows(self, worker_id: uuid.UUID) -> bool:
        """Whether that was said."""

    def renew(
        self, worker_id: uuid.UUID, lease: float, renew_row: Callable[[], Future[bool]]
    ) -> bool:
        """Renew the lease of such a worker; False: somebody has declared it dead.

        Args:
            worker_id: Who.
            lease: Seconds.
            renew_row: Renews it in the database too; False, if it was ended there.
        """

    def end(self, worker_id: uuid.UUID, *, is_dead: bool = False) -> None:
        """Say so no more; `is_dead`: let others see that it will not act again."""

    def is_live(self, worker_id: uuid.UUID) -> bool | None:
        """Whether a worker of any process may act; None: only the database can tell."""

    def ended(self) -> tuple[list[uuid.UUID], list[uuid.UUID]]:
        """Return workers of any process: who has died and is not buried; who is late and may not act."""

    def is_one_dead(self) -> bool:
        """Whether there was such a worker a moment ago."""

    def bury(self, dead: Iterable[uuid.UUID]) -> None:
        """Forget workers whose death is in the database."""
