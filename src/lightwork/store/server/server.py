"""Server: what one kind of server does in its own way, as functions and data.

Everything else about a database on a server is the same, and stands beside this.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import URL, Connection, Engine, exc

from lightwork.errors import StoreError
from lightwork.store.contracts.news import News
from lightwork.store.sql.spelling import Spelling


class Look(Protocol):
    """Runs a closure whose statements are each by themselves."""

    def __call__(self, look: Callable[[Connection], object], /) -> object:
        """Return what it returns."""


class Hints(Protocol):
    """Word from other programs that they have committed: quick, and never to be relied upon."""

    def listen(self, on_hint: Callable[[News], None]) -> None:
        """Begin to listen, if nobody does; costs a connection.

        Args:
            on_hint: Called at each word, and told to whom that is news; returns at once.
        """

    def send(self, news: News = News.ALL, *, may_wait: bool = False) -> None:
        """Tell the others soon that something was committed here, and to whom that is news.

        `may_wait`: at once, if that takes no longer than one statement.
        """

    def word(self, news: News) -> str:
        """Return statements that send it, for the end of a message that commits; "": it is to be sent after.

        Whoever has them is to execute them at once.
        """

    def are_heard(self) -> bool:
        """Whether what is sent arrives, as far as can be told here."""

    def pause(self, idle: float) -> float:
        """Return for how many seconds nobody need look for changes.

        Args:
            idle: For how many nothing has changed.
        """

    def close(self) -> None:
        """End both."""


class Sweeper(Protocol):
    """Keeps out of the way what the server itself removes too late."""

    def sweep(self) -> None:
        """Begin to remove it, if it is time; returns at once."""

    def close(self) -> None:
        """End that."""


class NoSweeper:
    """Nothing is in the way, or nothing can be done about it."""

    def sweep(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """Pools, or one pool with different options.

    Attributes:
        writing: Its transactions are READ COMMITTED.
        reading: Those of this see one snapshot.
        asking: For single statements, each by itself.
        alone: For single statements that write, each a transaction by itself where that saves a message.
        is_kept: `asking` and `alone` are one engine, in AUTOCOMMIT: its connections can be kept (kept.py).
    """

    writing: Engine
    reading: Engine
    asking: Engine
    alone: Engine
    is_kept: bool = False

    def of_pools(self) -> list[Engine]:
        """Return one for each pool."""
        # What is asked of the first holds for those that are it with other options.
        pools = {one.pool: one for one in (self.asking, self.reading, self.writing)}
        return list(pools.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One kind of server.

    Attributes:
        name: As its users call it.
        spelling: What its dialect says differently.
        make_engines: Makes the pools of a URL.
        error_of: Our error for one of the driver's, about the store of that name.
        is_conflict: Whether the transaction was undone because of another one, and may be repeated.
        cut: Makes whoever waits for an answer on a driver's connection fail at once.
        changes: A statement that returns a number that every commit makes grow; takes no lock.
        dialects: What SQLAlchemy calls it.
        identity: A statement that returns a text which no other database has, nor another schema
            of this one; changes no more often than the server is started.
        schema_lock: Holds up other programs that would change tables, while it is entered and until
            the transaction ends.
        largest_value: Asks how many bytes it takes as one value.
        sweeper: Makes what removes dead rows, of what reads, and of the store's name.
        hints: Makes what carries word between programs, of a pool, of what reads, and of what notes a commit
            of ours.
    """

    name: str
    spelling: Spelling
    make_engines: Callable[[URL], Engines]
    error_of: Callable[[Exception, str], StoreError]
    is_conflict: Callable[[exc.DBAPIError], bool]
    cut: Callable[[Any], None]
    changes: str
    dialects: frozenset[str]
    identity: str
    schema_lock: Callable[[Connection], AbstractContextManager[None]]
    hints: Callable[[Engine, Look, Callable[[], None]], Hints]
    sweeper: Callable[[Look, str], Sweeper] = lambda _look, _where: NoSweeper()
    largest_value: Callable[[Connection], int] = lambda _connection: 1_000_000_000
