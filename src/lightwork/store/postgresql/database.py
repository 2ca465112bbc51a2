"""Database: PostgreSQL 13 or newer, by psycopg 3; what store/opening.py asks of each kind."""

import dataclasses
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, text

from lightwork.errors import UsageError
from lightwork.store.postgresql.dead_rows import DeadRows
from lightwork.store.postgresql.engine import make_engines, make_job_engine
from lightwork.store.postgresql.errors import is_conflict, store_error
from lightwork.store.postgresql.hints import PostgresHints
from lightwork.store.postgresql.marks import Marks
from lightwork.store.postgresql.spelling import SPELLING, PostgresSpelling
from lightwork.store.server import database as server
from lightwork.store.server.server import Server
from lightwork.store.sql.engines.job_engine import JobEngine
from lightwork.store.urls import parse, safe_url

_DRIVER: Final = "postgresql+psycopg"
_NAMES: Final = frozenset({"postgres", "postgresql", _DRIVER})
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
    # What lies behind is known to who looks for jobs, and whether it counts to who vacuums.
    marks = Marks()
    kind = dataclasses.replace(
        POSTGRESQL,
        spelling=PostgresSpelling(marks),
        sweeper=lambda look, where: DeadRows(look, where, marks),
    )
    return server.ServerDatabase(kind, _parsed(url), create=create)


def connect(url: str) -> AbstractContextManager[Connection]:
    """Connect to one that is there, to look at its tables whatever they are."""
    return server.connect(POSTGRESQL, _parsed(url))


def upgrade(url: str) -> None:
    """Make its tables, or bring them up to date."""
    server.upgrade(POSTGRESQL, _parsed(url))


def open_job_engine(url: str) -> JobEngine:
    """Return connections for jobs that run in this process."""
    return JobEngine(make_job_engine(_parsed(url)), SPELLING, is_conflict)


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
    make_engines=make_engines,
    error_of=store_error,
    is_conflict=is_conflict,
    cut=_cut,
    changes=_CHANGES,
    dialects=frozenset({"postgresql"}),
    identity=_IDENTITY,
    schema_lock=_schema_lock,
    hints=lambda engine, look, note_own: PostgresHints(engine, look, note_own, cut=_cut),
)
