"""Database: PostgreSQL 13 or newer, by psycopg 3; what store/opening.py asks of each kind."""

import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, text

from lightwork.errors import UsageError
from lightwork.store.postgresql.errors import is_conflict, store_error
from lightwork.store.postgresql.hints import PostgresHints
from lightwork.store.postgresql.packed import register
from lightwork.store.postgresql.spelling import SPELLING
from lightwork.store.server import database as server
from lightwork.store.server.server import Engines, Server
from lightwork.store.sql.job_engine import JobEngine
from lightwork.store.urls import parse, safe_url

_DRIVER: Final = "postgresql+psycopg"
_NAMES: Final = frozenset({"postgres", "postgresql", _DRIVER})
# What libpq is told unless the URL says otherwise: without these a silent network is waited
# for for hours. Seconds, and milliseconds for the last.
_DEFAULTS: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
# How many transactions have ended that wrote something: all that have an id below xmax, without
# those that still run. Grows with each commit, in whatever order they commit.
_CHANGES: Final = (
    "SELECT pg_snapshot_xmax(s)::text::bigint - (SELECT count(*) FROM pg_snapshot_xip(s)) "
    "FROM pg_current_snapshot() AS s"
)
_IDENTITY: Final = (
    "SELECT concat_ws(' ', extract(epoch from pg_postmaster_start_time()), "
    "(SELECT oid FROM pg_database WHERE datname = current_database()), "
    "to_regclass('job')::oid, to_regclass('lightwork_version')::oid)"
)
# Any number that no other program is likely to use; it is let go of with the transaction.
_SCHEMA_LOCK: Final = 0x6C69676874776F72


def open_database(url: str, *, create: bool) -> server.ServerDatabase:
    """Open the database that a URL names; make its tables if it has none."""
    return server.ServerDatabase(POSTGRESQL, _parsed(url), create=create)


def connect(url: str) -> AbstractContextManager[Connection]:
    """Connect to one that is there, to look at its tables whatever they are."""
    return server.connect(POSTGRESQL, _parsed(url))


def upgrade(url: str) -> None:
    """Make its tables, or bring them up to date."""
    server.upgrade(POSTGRESQL, _parsed(url))


def open_job_engine(url: str) -> JobEngine:
    """Return connections for jobs that run in this process."""
    return JobEngine(_make_job_engine(_parsed(url)), SPELLING, is_conflict)


def backup(url: str, place: Path) -> None:
    """Say how the server's own program is called: backups of a server are its keeper's.

    Raises:
        UsageError: Always.
    """
    shown = safe_url(url).replace("+psycopg", "").replace(":***", "").partition("?")[0]
    raise UsageError(
        f"PostgreSQL has a program for that: pg_dump --format=custom --file={place} {shown} "
        "(the password comes from PGPASSWORD or ~/.pgpass); or copy the jobs into a file: "
        f"lightwork db copy {safe_url(url)} sqlite:///{place}"
    )


def files_of(_url: str) -> list[Path]:
    """None: what a server keeps is its own."""
    return []


def _parsed(url: str) -> URL:
    parsed = parse(url)
    if parsed.drivername not in _NAMES:
        raise UsageError(
            f"store {safe_url(url)}: PostgreSQL is spoken to by psycopg 3; "
            f"expected {_DRIVER}://USER@HOST/DATABASE"
        )
    parsed = parsed.set(drivername=_DRIVER)
    server.check_driver(POSTGRESQL, parsed, "postgres")
    return parsed


def _make_engines(url: URL) -> Engines:
    # Who bounds the number of connections: server/transactions.py.
    engine = _make_engine(url, pool_size=5)
    # psycopg says these in the BEGIN.
    reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    asking = engine.execution_options(isolation_level="AUTOCOMMIT")
    return Engines(writing=engine, reading=reading, asking=asking, alone=asking)


def _make_job_engine(url: URL) -> Engine:
    # A dead connection would be the failure of a job, which has run in vain.
    return _make_engine(url, pool_size=1, pool_pre_ping=True)


def _make_engine(url: URL, **options: Any) -> Engine:
    defaults = {name: value for name, value in _DEFAULTS.items() if name not in url.query}
    if "application_name" not in url.query:
        defaults["application_name"] = "lightwork"  # type: ignore[assignment]
    engine = create_engine(
        url,
        isolation_level="READ COMMITTED",
        poolclass=QueuePool,
        max_overflow=-1,
        pool_recycle=1800,
        # Values of statements would stand in errors, and with them what jobs are called with.
        hide_parameters=True,
        # A prepared statement belongs to a session, and a pooler changes that under us.
        connect_args=defaults | {"prepare_threshold": None},
        **options,
    )
    event.listen(engine, "connect", lambda driver, _record: register(driver))
    return engine


def _cut(driver: Any) -> None:
    """Shut the socket down; the descriptor stays the driver's own."""
    with suppress(Exception):
        copy = socket.socket(fileno=os.dup(driver.fileno()))
        with copy:
            copy.shutdown(socket.SHUT_RDWR)


@contextmanager
def _schema_lock(connection: Connection) -> Iterator[None]:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SCHEMA_LOCK})
    yield


POSTGRESQL: Final = Server(
    name="PostgreSQL",
    spelling=SPELLING,
    make_engines=_make_engines,
    error_of=store_error,
    is_conflict=is_conflict,
    cut=_cut,
    changes=_CHANGES,
    dialects=frozenset({"postgresql"}),
    identity=_IDENTITY,
    schema_lock=_schema_lock,
    hints=lambda engine, execute: PostgresHints(engine, execute, cut=_cut),
)
