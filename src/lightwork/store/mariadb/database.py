"""Database: MariaDB 10.6 or newer, MySQL 8 or newer, by PyMySQL; what store/opening.py asks of each kind."""

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, text

from lightwork.errors import StoreUnavailable, UsageError
from lightwork.store.mariadb.errors import is_conflict, store_error
from lightwork.store.mariadb.hints import MariaHints
from lightwork.store.mariadb.spelling import SPELLING
from lightwork.store.server import database as server
from lightwork.store.server.connecting import bound_connecting
from lightwork.store.server.server import Engines, Server
from lightwork.store.sql.engines.job_engine import JobEngine
from lightwork.store.sql.engines.pool import UNBOUNDED, StorePool
from lightwork.store.urls import parse, safe_url

_DRIVERS: Final = {
    "mysql": "mysql+pymysql",
    "mysql+pymysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "mariadb+pymysql": "mariadb+pymysql",
}
# How much the server has written into its redo log, the commits included; what only reads writes
# nothing. (MySQL has had the second name since 8.0.30.) Counters of commits count reads as well, or
# a commit before it takes place. What cleans up after commits looks like news, for a moment.
_CHANGES: Final = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_lsn_current', 'Innodb_redo_log_current_lsn')"
_IDENTITY: Final = "SELECT CONCAT_WS(' ', @@hostname, @@port, @@datadir, DATABASE())"
_LOCK_SECONDS: Final = 60
# Until a connection is made, as the driver says it.
_CONNECT_SECONDS: Final = 10
# Between two statements of a transaction of ours there is nothing that takes long. Seconds.
_PATIENCE: Final = "SET @lightwork = 1 /*M!100300 , SESSION idle_transaction_timeout = 30 */"
# What stands beside a value in its statement.
_REST_OF_ROW: Final = 64 * 1024
# Without these a silent network is waited for for hours. Seconds, and milliseconds for the last.
LINE: Final = {
    socket.TCP_KEEPIDLE: 10,
    socket.TCP_KEEPINTVL: 5,
    socket.TCP_KEEPCNT: 3,
    socket.TCP_USER_TIMEOUT: 30_000,
}

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
# Of the URL, for TLS.
_FILES: Final = ("ssl_ca", "ssl_cert", "ssl_key")


def open_database(url: str, *, create: bool) -> server.ServerDatabase:
    """Open the database that a URL names; make its tables if it has none."""
    return server.ServerDatabase(MARIADB, _parsed(url), create=create)


def connect(url: str) -> AbstractContextManager[Connection]:
    """Connect to one that is there, to look at its tables whatever they are."""
    return server.connect(MARIADB, _parsed(url))


def upgrade(url: str) -> None:
    """Make its tables, or bring them up to date."""
    server.upgrade(MARIADB, _parsed(url))


def open_job_engine(url: str) -> JobEngine:
    """Return connections for jobs that run in this process."""
    return JobEngine(_make_job_engine(_parsed(url)), SPELLING, is_conflict)


def backup(url: str, place: Path) -> None:
    """Say how the server's own program is called: backups of a server are its keeper's.

    Raises:
        UsageError: Always.
    """
    parts = parse(url)
    words = [
        f"--host={parts.host}" if parts.host else "",
        f"--port={parts.port}" if parts.port else "",
    ]
    words += [f"--user={parts.username}" if parts.username else "", "-p", str(parts.database)]
    shown = " ".join(filter(None, words))
    raise UsageError(
        f"MariaDB has a program for that: mariadb-dump --single-transaction {shown} > {place}; or "
        f"copy the jobs into a file: lightwork db copy {safe_url(url)} sqlite:///{place}"
    )


def files_of(_url: str) -> list[Path]:
    """None: what a server keeps is its own."""
    return []


def _parsed(url: str) -> URL:
    parsed = parse(url)
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise UsageError(
            f"store {safe_url(url)}: MariaDB and MySQL are spoken to by PyMySQL; "
            "expected mysql+pymysql://USER@HOST/DATABASE"
        )
    parsed = parsed.set(drivername=driver)
    server.check_driver(MARIADB, parsed, "mysql")
    _check_files(parsed)
    if parsed.query:
        _check_options(parsed)
    return parsed


def _check_files(url: URL) -> None:
    """Refuse files that the driver would miss with an error of the system that names nothing."""
    for option in _FILES:
        path = url.query.get(option)
        if path and not Path(str(path)).is_file():
            raise UsageError(
                f"store {safe_url(url.render_as_string(hide_password=False))}: {option} names the "
                f"file {path}, which is not there"
            )


def _check_options(url: URL) -> None:
    """Refuse options that the driver does not take: its own error would name no URL."""
    dialect = url.get_dialect()()
    try:
        _, said = dialect.create_connect_args(url)
        # Looks at them and connects to nothing; without TLS, whose files are read in 30 ms.
        dialect.import_dbapi().connect(**{**said, "ssl_disabled": True}, defer_connect=True)
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"store {safe_url(url.render_as_string(hide_password=False))}: the driver takes no such "
            f"option, or not this value ({error}); see what is behind the ?"
        ) from error


def _make_engines(url: URL) -> Engines:
    # To change the isolation of a connection costs two messages: so each has a pool of its own.
    reading = _make_engine(url, "REPEATABLE READ")
    writing = _make_engine(url, "READ COMMITTED")
    asking = _make_engine(url, "AUTOCOMMIT")
    event.listen(asking, "connect", _have_nothing_to_undo)
    for engine in (reading, writing):
        event.listen(engine, "connect", _be_patient)
    for engine in (reading, writing, asking):
        _bound_greeting(engine)
    return Engines(writing=writing, reading=reading, asking=asking, alone=writing)


def _make_job_engine(url: URL) -> Engine:
    # A dead connection would be the failure of a job, which has run in vain.
    engine = _make_engine(url, "READ COMMITTED", pool_pre_ping=True)
    _bound_greeting(engine)
    return engine


def _make_engine(url: URL, isolation: str, **options: Any) -> Engine:
    engine = create_engine(
        url,
        isolation_level=isolation,
        poolclass=StorePool,
        # Who bounds their number: server/transactions.py.
        pool_size=5,
        max_overflow=UNBOUNDED,
        # The server ends what has been idle for eight hours, some firewalls much earlier.
        pool_recycle=1800,
        # Each transaction is ended before; of a dead connection it would say so in the log.
        pool_reset_on_return=None,
        # Values of statements would stand in errors, and with them what jobs are called with.
        hide_parameters=True,
        connect_args={"ssl_disabled": True} if _is_local(url) else {},
        **options,
    )
    bound_connecting(engine)
    event.listen(engine, "connect", _watch_line)
    return engine


def _bound_greeting(engine: Engine) -> None:
    """Have what is said while a connection is made answered in time: the driver bounds no more than to reach the machine.

    To be asked last: what listens before still belongs to it. What the URL says holds for all.
    """
    if "read_timeout" not in engine.url.query:
        event.listen(engine, "do_connect", _wait_briefly)
        event.listen(engine, "connect", _wait_for_answers)


def _wait_briefly(_dialect: Any, _record: object, _args: Any, parameters: dict[str, Any]) -> None:
    parameters["read_timeout"] = parameters.get("connect_timeout", _CONNECT_SECONDS)


def _wait_for_answers(driver: Any, _record: object) -> None:
    driver._read_timeout = None


def _have_nothing_to_undo(driver: Any, _record: object) -> None:
    """Save a message after each statement that is a transaction by itself; the driver would send one."""
    driver.rollback = lambda: None


def _is_local(url: URL) -> bool:
    """Whether nothing is on the way, and nobody has asked for TLS.

    The driver reads all certificates of the system for each connection: 30 ms of CPU.
    """
    asks_for_tls = any(option.startswith("ssl") for option in url.query)
    return not asks_for_tls and (url.host or "localhost") in _LOCAL


def _be_patient(driver: Any, _record: object) -> None:
    """Have the server undo a transaction of ours whose machine has vanished, or that is frozen.

    MySQL has nothing of the kind, and skips what only MariaDB reads.
    """
    driver.query(_PATIENCE)


def _watch_line(driver: Any, _record: object) -> None:
    """Have the system ask whether the server's machine is there, as libpq does."""
    if driver._sock.family in {socket.AF_INET, socket.AF_INET6}:
        driver._sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in LINE.items():
            driver._sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _largest_value(connection: Connection) -> int:
    """Return what fits into a packet, in which each byte is written as two, and the rest of its row.

    The server answers a larger one by ending the connection, as if the line were bad: who
    tried again did so for ever.
    """
    packet = int(connection.scalar(text("SELECT @@max_allowed_packet")) or 0)
    return max(packet - _REST_OF_ROW, 0) // 2


def _cut(driver: Any) -> None:
    with suppress(Exception):
        driver._sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def _schema_lock(connection: Connection) -> Iterator[None]:
    """Hold a lock of the session: tables are made outside of transactions here."""
    name = {"name": "lightwork.schema"}
    lock = text(f"SELECT GET_LOCK(:name, {_LOCK_SECONDS})")
    if connection.scalar(lock, name) != 1:
        raise StoreUnavailable(
            "another program has been changing the tables for a minute; try again"
        )
    try:
        yield
    finally:
        connection.execute(text("SELECT RELEASE_LOCK(:name)"), name)


MARIADB: Final = Server(
    name="MariaDB",
    spelling=SPELLING,
    make_engines=_make_engines,
    error_of=store_error,
    is_conflict=is_conflict,
    cut=_cut,
    changes=_CHANGES,
    dialects=frozenset({"mysql", "mariadb"}),
    identity=_IDENTITY,
    schema_lock=_schema_lock,
    hints=lambda engine, look, _note_own: MariaHints(engine, look, cut=_cut),
    largest_value=_largest_value,
)
