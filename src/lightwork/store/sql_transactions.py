"""SQL transactions: a database, and how an operation becomes a read or a write of it."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Concatenate, ParamSpec, Self, TypeAlias, TypeVar

from sqlalchemy import Connection

from lightwork.codec.payload import MAX_BYTES
from lightwork.store.contracts.news import News
from lightwork.store.database import Database
from lightwork.store.opening import kind_of
from lightwork.store.operations.bounds.payloads import PayloadBound
from lightwork.store.urls import safe_url

P = ParamSpec("P")
T = TypeVar("T")
Operation: TypeAlias = Callable[Concatenate[Connection, P], T]


class SqlTransactions:
    """What every part of a store in SQL is made of."""

    def __init__(self, url: str, *, create: bool = True) -> None:
        self.database: Database = kind_of(url).open_database(url, create=create)
        self._spelling = self.database.spelling
        self._signs = self.database.signs
        self._payloads = PayloadBound(min(MAX_BYTES, self.database.largest_value))

    @property
    def url(self) -> str:
        """The URL that opens this store again."""
        return self.database.url

    @property
    def safe_url(self) -> str:
        """The URL as it may be shown and logged."""
        return safe_url(self.url)

    @property
    def largest_value(self) -> int:
        """How many bytes a payload or a result may have here."""
        return self.database.largest_value

    @property
    def has_upkeep(self) -> bool:
        """Return False: who uses a database itself does what is to be done there."""
        return False

    @property
    def keeps_meanwhile(self) -> bool:
        """Whether the driver leaves the interpreter to others while it waits, which is for long."""
        return self._spelling.keeps_meanwhile

    def note_commit(self) -> None:
        """Wake those who wait for changes."""
        self.database.note_commit()

    def changes(self) -> int:
        """Return a number that differs after any commit by anybody."""
        return self.database.changes()

    def wait_for_change(
        self,
        seen: int,
        timeout: float,
        *,
        but_submits: bool = False,
        queues: Sequence[str] = (),
    ) -> int:
        """Wait until `changes()` differs from `seen` or the time is up."""
        news = News.ENDS if but_submits else News.WORK if queues else News.ALL
        return self.database.wait(seen, timeout, news=news)

    def hurry(self) -> None:
        """Let no call wait for the database for longer than a second any more."""
        self.database.hurry()

    def close(self) -> None:
        """Let go of files and threads; idempotent."""
        self.database.close()

    def align_clock(self) -> float:
        """Bring the database clock a little nearer to the wall clock."""
        return self.database.align_clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SqlStore {self.safe_url}>"

    def _read(self, operation: Operation[P, T], *values: P.args, **options: P.kwargs) -> T:
        return self.database.read(lambda connection: operation(connection, *values, **options))

    def _look(self, operation: Operation[P, T], *values: P.args, **options: P.kwargs) -> T:
        return self.database.look(lambda connection: operation(connection, *values, **options))

    def _write_quietly(self, operation: Operation[P, T], *values: P.args, **options: P.kwargs) -> T:
        return self.database.write(
            lambda connection: operation(connection, *values, **options), is_quiet=True
        )

    def _write(self, operation: Operation[P, T], *values: P.args, **options: P.kwargs) -> T:
        return self.database.write(lambda connection: operation(connection, *values, **options))

    def _write_soon(
        self, operation: Operation[P, T], *values: P.args, **options: P.kwargs
    ) -> Future[T]:
        return self.database.write_soon(
            lambda connection: operation(connection, *values, **options)
        )
