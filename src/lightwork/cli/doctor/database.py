"""Database: what is looked at in the database of a store."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select

from lightwork.cli.doctor.finding import Finding, judge
from lightwork.cli.doctor.machine import package_version
from lightwork.clock import monotonic
from lightwork.errors import Error, SchemaMismatch
from lightwork.store.opening import kind_of
from lightwork.store.sql import schema
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.urls import parse, safe_url
from lightwork.terminal.amounts import show_duration, show_size

# Seconds by which clocks may differ before people wonder.
_CLOCK: Final = 2.0
_SLOW: Final = 1.0
_FREE: Final = 200 << 20
# Seconds for which a transaction may be open before it keeps dead rows alive.
_LONG: Final = 300.0
_DRIVERS: Final = {"postgresql": "psycopg", "mysql": "PyMySQL", "mariadb": "PyMySQL"}


def look_at_database(url: str) -> Iterator[Finding]:
    """Yield what was found; of one that cannot be reached, only that."""
    dialect = parse(url).get_backend_name()
    if driver := _DRIVERS.get(dialect):
        yield Finding("ok", "driver", f"{driver} {package_version(driver) or 'missing'}")
    started = monotonic()
    try:
        with kind_of(url).connect(url) as connection:
            # Before it counts as reached: of a file nothing is read until something is asked.
            tables = _schema(connection, url)
            took = monotonic() - started
            yield judge(
                "database",
                f"{safe_url(url)} reached in {show_duration(took)}",
                is_good=took < _SLOW,
                do="it is slow to reach: look at the network, or at what the server does",
            )
            yield tables
            yield from _look(connection, url, dialect)
    except Error as error:
        yield Finding("fail", "database", safe_url(url), str(error))


def _look(connection: Connection, url: str, dialect: str) -> Iterator[Finding]:
    yield from _LOOKS[dialect](connection)
    if dialect == "sqlite":
        yield from _file(Path(str(parse(url).database)).resolve())
    yield _clock(connection)


def _schema(connection: Connection, url: str) -> Finding:
    try:
        is_current = schema.is_current(connection)
    except SchemaMismatch as error:
        return Finding("fail", "schema", "not this program's", str(error))
    found = schema.revision(connection) or "none"
    do = f"run: lightwork db upgrade {safe_url(url)}"
    return judge("schema", f"revision {found}", is_good=is_current, do=do, bad="fail")


def _clock(connection: Connection) -> Finding:
    if not schema.revision(connection) and connection.dialect.name == "sqlite":
        return Finding("ok", "clock", "of a file without tables")
    before = time.time()
    now = (connection.scalar(select(NOW)) or 0) / 1000
    ahead = now - (before + time.time()) / 2
    return judge(
        "clock",
        f"the database's is {abs(ahead):.2f} s {'ahead' if ahead > 0 else 'behind'}",
        is_good=abs(ahead) < _CLOCK,
        do="delays and leases are counted by the database's; set both clocks by NTP",
    )


def _sqlite(connection: Connection) -> Iterator[Finding]:
    version = str(connection.exec_driver_sql("SELECT sqlite_version()").scalar())
    yield _version("sqlite", version, (3, 35))
    mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())
    yield judge(
        "journal", mode, is_good=mode == "wal", do="a worker or `lightwork db upgrade` sets WAL"
    )
    yield Finding("ok", "fsync", "synchronous=FULL, said by each of our connections")


def _file(path: Path) -> Iterator[Finding]:
    from lightwork.store.sqlite.engine import network_type

    mode = path.stat().st_mode & 0o777
    do = f"whoever may read it reads what jobs are called with: chmod o-rwx {path}"
    yield judge("permissions", f"{mode:04o} {path}", is_good=not mode & 0o007, do=do)
    kind = network_type(path, Path("/proc/self/mounts").read_text())
    do = "locks do not reach all who mount it: move the file to a disk of this machine"
    yield judge("file system", kind or "local", is_good=not kind, do=do, bad="fail")
    free = shutil.disk_usage(path.parent).free
    yield judge(
        "disk", f"{show_size(free)} free", is_good=free > _FREE, do="free some, or prune the store"
    )


def _postgresql(connection: Connection) -> Iterator[Finding]:
    shown = _settings(connection, "SELECT name, setting FROM pg_settings")
    yield _version("server", f"PostgreSQL {shown['server_version']}", (13,))
    for name, good in (("fsync", {"on"}), ("full_page_writes", {"on"}), ("autovacuum", {"on"})):
        yield judge(
            name, shown[name], is_good=shown[name] in good, do=f"set {name} = on", bad="fail"
        )
    yield judge(
        "synchronous_commit",
        shown["synchronous_commit"],
        is_good=shown["synchronous_commit"] != "off",
        do="with off the last commits are lost when the server dies: set it on",
    )
    used = connection.exec_driver_sql("SELECT count(*) FROM pg_stat_activity").scalar() or 0
    most = int(shown["max_connections"])
    yield judge(
        "connections",
        f"{used} of {most}",
        is_good=used < 0.8 * most,
        do="each worker takes up to three: raise max_connections, or use a pooler",
    )
    oldest = float(
        connection.exec_driver_sql(
            "SELECT coalesce(max(extract(epoch from now() - xact_start)), 0) FROM pg_stat_activity "
            "WHERE datname IS NOT NULL"
        ).scalar()
        or 0
    )
    do = "it keeps rows that are dead from being cleaned up: end it (pg_stat_activity shows whose it is)"
    yield judge("oldest transaction", show_duration(oldest), is_good=oldest < _LONG, do=do)


def _mariadb(connection: Connection) -> Iterator[Finding]:
    shown = _settings(connection, "SHOW GLOBAL VARIABLES")
    is_maria = "mariadb" in shown["version"].lower()
    name, oldest = ("MariaDB", (10, 6)) if is_maria else ("MySQL", (8,))
    yield _version("server", f"{name} {shown['version']}", oldest)
    flush = shown["innodb_flush_log_at_trx_commit"]
    do = "with another value the last commits are lost when the server dies: set it to 1"
    yield judge("innodb_flush_log_at_trx_commit", flush, is_good=flush == "1", do=do)
    packet = int(shown["max_allowed_packet"])
    do = "a payload may have 16 MB: set max_allowed_packet = 64M"
    yield judge("max_allowed_packet", show_size(packet), is_good=packet > 17 << 20, do=do)
    isolation = connection.get_isolation_level()
    yield Finding("ok", "isolation", f"{isolation} here; READ COMMITTED where a store writes")


def _settings(connection: Connection, question: str) -> Mapping[str, str]:
    return {row[0]: str(row[1]) for row in connection.exec_driver_sql(question)}


def _version(what: str, seen: str, oldest: tuple[int, ...]) -> Finding:
    digits = next((word for word in seen.split() if word[:1].isdigit()), "0").split("-")[0]
    found = tuple(int(part) for part in digits.split(".") if part.isdigit())
    do = f"{'.'.join(map(str, oldest))} is the oldest that is supported"
    return judge(what, seen, is_good=found >= oldest, do=do, bad="fail")


_LOOKS: Final[Mapping[str, Callable[[Connection], Iterator[Finding]]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "mysql": _mariadb,
    "mariadb": _mariadb,
}
