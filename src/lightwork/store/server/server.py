"""Server: what one kind of server does in its own way, as functions and data.

Everything else about a database on a server is the same, and stands beside this.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import URL, Connection, Engine, exc

from lightwork.errors import StoreError
from lightwork.store.sql.spelling import Spelling


class Hints(Protocol):
    """Word from other programs that they have committed: quick, and never to be relied upon."""

    def listen(self, on_hint: Callable[[], None]) -> None:
        """Begin to listen, if nobody does; costs a connection.

        Args:
            on_hint: Called at each word; returns at once.
        """

    def send(self) -> None:
        """Tell the others soon that something was committed here."""

    def are_heard(self) -> bool:
        """Whether what is sent arrives, as far as can be told from what we have sent ourselves."""

    def close(self) -> None:
        """End both."""


class NoHints:
    """Nothing is heard: changes are looked for."""

    def listen(self, _on_hint: Callable[[], None]) -> None:
        """Do nothing."""

    def send(self) -> None:
        """Do nothing."""

    def are_heard(self) -> bool:
        """Never."""
        return False

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
    """

    writing: Engine
    reading: Engine
    asking: Engine
    alone: Engine


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
        hints: Makes what carries word between programs, of a pool and of what executes a statement.
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
    hints: Callable[[Engine, Callable[[str], object]], Hints]
    largest_value: Callable[[Connection], int] = lambda _connection: 1_000_000_000
