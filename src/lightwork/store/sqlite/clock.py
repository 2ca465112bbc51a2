"""Clock: the database clock of a file, which has none of its own.

The wall clock would be the wrong one: whoever sets it an hour forward would end every
lease and crash what runs, an hour back, and nobody would rescue what the dead held. What
nobody can set is the time since boot, the same in all processes of the machine and
counting while it sleeps. So the file's clock is

    now  =  time since boot  +  ahead          `ahead` is kept in the file, a row for each boot

    first use in a boot   ahead makes it the wall clock's time, but never earlier than
                          what the file has seen: leases of the last boot must end
    the wall clock jumps  nothing happens to the file's clock. Whoever aligns it notices
                          and tells; the difference is taken out step by step, at most 50 ms
                          a second, as NTP does. A lease has a fifth of its time in reserve
                          and does not feel a twentieth; times shown are right again
                          after twenty hours for each hour.

An SQL function gives what SQL cannot know. It is put on every connection that says
`db_now()`, a user's own included, and is called deterministic, so that SQLite calls it
once in a statement and not for each row. It is none of Python: an interrupt that
came while SQLite calls it would be an error of the statement, which says nothing of Ctrl-C.
"""

from typing import Any, Final

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from lightwork.clock import boot_id, nanoseconds, offset_of_namespace, uptime, wall
from lightwork.store.tables.clock_sql import db_now
from lightwork.store.tables.jobs import job
from lightwork.store.tables.workers import clock, worker

STEP: Final = 50
EVERY: Final = 1000
# Beyond that an instant of the file is damage, not the future.
_CREDIBLE: Final = 10 * 365 * 86_400_000

# Letters, digits and hyphens: it may stand in a statement as it is.
_BOOT: Final = "".join(letter for letter in boot_id() if letter.isalnum() or letter == "-")
_OURS: Final = clock.c.boot == _BOOT
_NOW: Final = select(db_now())
_IS_SET: Final = select(clock.c.ahead).where(_OURS)


@compiles(db_now, "sqlite")
def _db_now(_element: db_now, _compiler: SQLCompiler, **_options: Any) -> str:
    # Not julianday('now'): that is the wall clock of whoever writes.
    since_boot = f"lightwork_nanoseconds() / 1000000 - {offset_of_namespace}"
    return f"({since_boot} + (SELECT ahead FROM clock WHERE boot = '{_BOOT}'))"  # noqa: S608


def equip(driver: Any) -> None:
    """Give a driver's connection the function that `db_now()` calls."""
    driver.create_function("lightwork_nanoseconds", 0, nanoseconds, deterministic=True)


def is_set(connection: Connection) -> bool:
    """Return whether the file's clock runs in this boot."""
    return connection.scalar(_IS_SET) is not None


def set_clock(connection: Connection) -> None:
    """Let the file's clock run on in this boot, unless it does."""
    if is_set(connection):
        return
    now = wall()
    seen = [
        connection.scalar(select(func.max(worker.c.heartbeat_at))),
        connection.scalar(select(job.c.created_at).order_by(job.c.seq.desc()).limit(1)),
    ]
    credible = [at for at in seen if isinstance(at, int) and at < now + _CREDIBLE]
    ahead = max([now, *credible]) - uptime()
    connection.execute(
        sqlite.insert(clock)
        .values(boot=_BOOT, ahead=ahead, aligned_at=uptime())
        .on_conflict_do_nothing()
    )


def ahead_of_database(connection: Connection) -> int:
    """Return by how many milliseconds the wall clock is ahead of the file's."""
    return wall() - int(connection.scalar(_NOW) or 0)


def align(connection: Connection) -> None:
    """Bring the file's clock a step nearer to the wall clock; at most one a second counts."""
    off = ahead_of_database(connection)
    step = max(-STEP, min(STEP, off))
    connection.execute(
        update(clock)
        .where(_OURS, clock.c.aligned_at <= uptime() - EVERY)
        .values(ahead=clock.c.ahead + step, aligned_at=uptime())
    )
