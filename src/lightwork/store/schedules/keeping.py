"""Keeping: schedules are declared, listed, paused, resumed and removed.

Functions of a connection, inside a transaction that the caller began.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, exc

from lightwork.errors import StoreUnavailable, UsageError
from lightwork.model import NewSchedule
from lightwork.schedule.rules import parse_rule
from lightwork.store.schedules import statements as sql
from lightwork.store.schedules.rows import CODE, USER, rule_of, schedule_view, values_of
from lightwork.store.sql.rows import AnyRow
from lightwork.store.views import ScheduleView

# How often others may be faster.
_MOST_TRIES: Final = 10


def schedules(connection: Connection) -> list[ScheduleView]:
    """Return all schedules, by name."""
    return [schedule_view(row) for row in connection.execute(sql.ALL)]


def schedule(connection: Connection, name: str) -> ScheduleView | None:
    """Return one schedule, or None."""
    row = _find(connection, name)
    return None if row is None else schedule_view(row)


def are_kept(connection: Connection, news: Iterable[NewSchedule]) -> bool:
    """Return whether all of these are kept as they are given."""
    kept = {row.name: row for row in connection.execute(sql.ALL)}
    return all(new.name in kept and _is_as(new, kept[new.name]) for new in news)


def declare(connection: Connection, news: Iterable[NewSchedule], *, replace: bool) -> list[str]:
    """Keep schedules; return the names of those that are new or have changed."""
    # By name, as all locks of schedules are taken.
    in_order = sorted(news, key=lambda new: new.name)
    return [new.name for new in in_order if _declare(connection, new, replace=replace)]


def pause(connection: Connection, name: str) -> bool:
    """Let a schedule make no jobs; False: there is none."""
    if connection.execute(sql.PAUSE, {"b_name": name}).rowcount == 1:
        return True
    return _find(connection, name) is not None


def resume(connection: Connection, name: str) -> bool:
    """Let it make jobs again, of due times that are to come; False: there is none."""
    row = connection.execute(sql.LOCK_ONE, {"b_name": name}).one_or_none()
    if row is None:
        return False
    if row.paused_at is not None:
        next_at = rule_of(row).next_after(row.now, row.now)
        connection.execute(sql.RESUME, {"b_name": name, "b_next_at": next_at})
    return True


def remove(connection: Connection, names: Iterable[str]) -> list[str]:
    """Forget schedules; return the names of those that there were."""
    return [
        name
        for name in sorted(names)
        if connection.execute(sql.REMOVE, {"b_name": name}).rowcount == 1
    ]


def _find(connection: Connection, name: str) -> AnyRow | None:
    return connection.execute(sql.ONE, {"b_name": name}).one_or_none()


def _declare(connection: Connection, new: NewSchedule, *, replace: bool) -> bool:
    for _ in range(_MOST_TRIES):
        row = connection.execute(sql.LOCK_ONE, {"b_name": new.name}).one_or_none()
        if row is None:
            if _insert(connection, new):
                return True
        elif _is_as(new, row):
            return False
        else:
            _check_is_ours(new, row, replace=replace)
            if _change(connection, new, row):
                return True
    raise StoreUnavailable(
        f"schedule {new.name!r}: others have declared and removed it {_MOST_TRIES} times meanwhile; "
        "nothing was changed, try again"
    )


def _insert(connection: Connection, new: NewSchedule) -> bool:
    """Insert a schedule; False: somebody was faster."""
    values = {f"b_{name}": value for name, value in values_of(new).items()}
    now = connection.scalars(sql.TIME).one()
    values |= {
        "b_name": new.name,
        "b_origin": CODE if new.is_code else USER,
        "b_next_at": parse_rule(new.spec, new.tz).next_after(now, now),
    }
    savepoint = connection.begin_nested()
    try:
        connection.execute(sql.INSERT, values)
    except exc.IntegrityError:
        savepoint.rollback()
        return False
    savepoint.commit()
    return True


def _change(connection: Connection, new: NewSchedule, row: AnyRow) -> bool:
    """Change a schedule; False: it is no longer as it was read."""
    values = {f"b_{name}": value for name, value in values_of(new).items()}
    next_at = row.next_at
    # Its due times are others from now on; otherwise what is due stays due.
    if (new.spec, new.tz) != (row.spec, row.tz) and row.paused_at is None:
        next_at = parse_rule(new.spec, new.tz).next_after(row.now, row.now)
    values |= {"b_name": new.name, "b_seen": row.next_at, "b_next_at": next_at}
    return connection.execute(sql.CHANGE, values).rowcount == 1


def _is_as(new: NewSchedule, row: AnyRow) -> bool:
    """Whether a row says what is declared."""
    kept = {name: getattr(row, name) for name in values_of(new)}
    return kept == values_of(new) and (row.origin == CODE) == new.is_code


def _check_is_ours(new: NewSchedule, row: AnyRow, *, replace: bool) -> None:
    if (row.origin == CODE) != new.is_code:
        whose = "by a command" if new.is_code else "in code"
        raise UsageError(
            f"the schedule {new.name!r} was declared {whose}, and is changed there; choose another name"
        )
    if not replace:
        raise UsageError(
            f"there is a schedule {new.name!r} already, of {row.task} and {row.spec!r}; remove it "
            "first, or choose another name"
        )
