"""Servers: databases of their own for tests, on servers that run, or on ones that are started.

Which server: the one that LIGHTWORK_TEST_POSTGRESQL or LIGHTWORK_TEST_MARIADB names (the URL of
a database beside which others may be made), else the one that listens locally, else a
throw-away one from installed programs. Where there is none, tests are skipped and say
why; where CI=true they fail, so that nobody takes a run without a database for one with it.
"""

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest
from sqlalchemy import (
    URL,
    CompoundSelect,
    Connection,
    Engine,
    NullPool,
    create_engine,
    delete,
    exc,
    exists,
    inspect,
    literal_column,
    make_url,
    select,
    text,
    union_all,
)

from lightwork.store.sql import schema
from lightwork.store.tables import metadata

_LOCAL: Final = {
    "postgresql": "postgresql+psycopg://postgres@127.0.0.1:5432/postgres",
    "mariadb": "mariadb+pymysql://root@127.0.0.1:3306/mysql",
}
_SECONDS: Final = 60.0


@contextmanager
def new_database(kind: str) -> Iterator[str]:
    """Make an empty database, and drop it afterwards."""
    with _database(kind, "") as url:
        yield url


@contextmanager
def copy_of(url: str) -> Iterator[str]:
    """Make a database that holds what a store in PostgreSQL holds, which nobody uses."""
    with _database("postgresql", f" TEMPLATE {make_url(url).database}") as made:
        yield made


@contextmanager
def used_database(kind: str) -> Iterator[str]:
    """Return a database whose tables are empty, or that has none yet: to make them takes a second."""
    url = _kept(kind)
    try:
        yield url
    finally:
        with _engine(url).connect() as connection:
            is_clean = _empty(connection, _EMPTYING[kind])
        if not is_clean:
            _kept.cache_clear()


def _empty(connection: Connection, start_anew: str) -> bool:
    """Delete all rows of a store's tables; False: some are missing, or of another revision."""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return True
    known = {*metadata.tables, schema.VERSION_TABLE}
    if not known <= tables:
        return False
    for name in tables - known:
        connection.execute(text(f"DROP TABLE {name}"))
    for name in connection.scalars(_FILLED).all():
        connection.execute(delete(metadata.tables[name]))
    for statement in connection.scalars(text(start_anew)).all():
        connection.execute(text(statement))
    found = connection.scalar(text(f"SELECT version_num FROM {schema.VERSION_TABLE}"))
    return bool(found == schema.REVISIONS[-1])


# The names of the tables that have rows: most have none after most tests.
_FILLED: Final[CompoundSelect[str]] = union_all(
    *(
        select(literal_column(f"'{name}'")).where(exists(select(table)))
        for name, table in metadata.tables.items()
    )
)


# Statements that return statements: what counts by itself begins with 1 again.
_EMPTYING: Final = {
    "postgresql": "SELECT 'ALTER SEQUENCE ' || sequencename || ' RESTART' FROM pg_sequences "
    "WHERE schemaname = 'public' AND last_value IS NOT NULL",
    "mariadb": "SELECT CONCAT('ALTER TABLE ', table_name, ' AUTO_INCREMENT = 1') "
    "FROM information_schema.tables WHERE table_schema = DATABASE() AND auto_increment > 1",
}


@functools.cache
def _kept(kind: str) -> str:
    database = new_database(kind)
    # Dropped before a server that was started is ended: last come, first served.
    url = database.__enter__()
    atexit.register(database.__exit__, None, None, None)
    return url


def execute(url: URL | str, statement: str) -> None:
    """Execute one statement in no transaction."""
    with _engine(url).connect() as connection:
        connection.execute(text(statement))


def server(kind: str) -> URL:
    """Return the URL of a database beside which others may be made; skip if there is none."""
    return _server(kind) or be_without(kind)


def be_without(kind: str) -> NoReturn:
    """Skip the test that needs such a server, or fail it where there must be one."""
    word = (
        f"no {kind} to test with: start one, name one in LIGHTWORK_TEST_{kind.upper()}, or install "
        f"its server (Debian: apt-get install {_PACKAGES[kind]})"
    )
    if os.environ.get("CI") == "true":
        pytest.fail(word)
    pytest.skip(word)


def programs_of(kind: str) -> Path | None:
    """Return the folder of PostgreSQL's programs, or the server of MariaDB; None: there is none."""
    if kind == "mariadb":
        found = shutil.which("mariadbd") if shutil.which("mariadb-install-db") else None
        return None if found is None else Path(found)
    found = shutil.which("initdb")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return Path(found).resolve().parent if found else next(iter(places), None)


@contextmanager
def _database(kind: str, more: str) -> Iterator[str]:
    place, name = server(kind), f"lightwork_test_{uuid.uuid4().hex}"
    execute(place, f"CREATE DATABASE {name}{more}")
    try:
        yield place.set(database=name).render_as_string(hide_password=False)
    finally:
        execute(place, f"DROP DATABASE {name}" + " WITH (FORCE)" * (kind == "postgresql"))


@functools.cache
def _server(kind: str) -> URL | None:
    named = os.environ.get(f"LIGHTWORK_TEST_{kind.upper()}")
    if named:
        return make_url(named)
    local = make_url(_LOCAL[kind])
    return local if answers(local) else _STARTERS[kind]()


@functools.lru_cache(8)
def _engine(url: URL | str) -> Engine:
    # Kept for the statements that it has compiled; it keeps no connection. For TLS, which nobody needs here,
    # PyMySQL would read all certificates of the system each time.
    is_mysql = make_url(url).get_backend_name() in {"mysql", "mariadb"}
    options: dict[str, Any] = {"connect_args": {"ssl_disabled": True}} if is_mysql else {}
    return create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", **options)


def answers(url: URL) -> bool:
    """Whether there is a server."""
    try:
        with _engine(url).connect():
            return True
    except exc.OperationalError:
        return False


def _start_postgresql() -> URL | None:
    """Start a server that ends with this program, on a socket in a folder of its own."""
    programs = programs_of("postgresql")
    if programs is None:
        return None
    folder = folder_for("postgres")
    data, log = folder / "data", folder / "log"
    run_as(
        "postgres", programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync"
    )
    options = f"-k {folder} -c listen_addresses='' -c max_connections=200 -c fsync=off"
    control = programs / "pg_ctl", "-D", data
    run_as("postgres", *control, "-l", log, "-o", options, "-w", "start")
    atexit.register(run_as, "postgres", *control, "-m", "immediate", "stop")
    return URL.create(
        "postgresql+psycopg", "postgres", database="postgres", query={"host": str(folder)}
    )


def _start_mariadb() -> URL | None:
    """Do the same for MariaDB."""
    if programs_of("mariadb") is None:
        return None
    folder = folder_for("mysql")
    data, socket = f"--datadir={folder}/data", folder / "socket"
    plain = "--no-defaults", data
    run_as("mysql", "mariadb-install-db", *plain, "--auth-root-authentication-method=normal")
    options = f"--socket={socket}", "--skip-networking", f"--pid-file={folder}/pid"
    process = subprocess.Popen(
        command_of("mysql", ["mariadbd", *plain, *options]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    atexit.register(process.wait)
    atexit.register(process.terminate)
    url = URL.create(
        "mariadb+pymysql", "root", database="mysql", query={"unix_socket": str(socket)}
    )
    deadline = time.monotonic() + _SECONDS
    while not answers(url):
        assert process.poll() is None, "mariadbd ended as soon as it was started"
        assert time.monotonic() < deadline, "mariadbd does not answer"
        time.sleep(0.05)
    return url


_STARTERS: Final = {"postgresql": _start_postgresql, "mariadb": _start_mariadb}
_PACKAGES: Final = {"postgresql": "postgresql", "mariadb": "mariadb-server"}


def folder_for(owner: str) -> Path:
    """Make a folder for a server, which is gone when this program ends."""
    folder = Path(tempfile.mkdtemp(prefix=f"lightwork-{owner}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if os.geteuid() == 0:
        # They refuse to be run by root; their packages have made users for them.
        shutil.chown(folder, owner)
    return folder


def run_as(owner: str, *words: object) -> None:
    """Run a program to its end as the user of a server."""
    # A server that is started keeps what it inherits: nobody waits for the end of its output.
    subprocess.run(
        command_of(owner, words),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )


def command_of(owner: str, words: Sequence[object]) -> list[str]:
    """Return what runs a program as this user, where we may choose."""
    as_whom = ["runuser", "-u", owner, "--"] if os.geteuid() == 0 else []
    return [*as_whom, *map(str, words)]
