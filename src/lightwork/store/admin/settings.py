"""Settings: what people tell a store to do for all programs that use it."""

from typing import Final

from sqlalchemy import Connection, bindparam, delete, select, update

from lightwork.bounds.payloads import LEAST_BOUND
from lightwork.errors import UsageError
from lightwork.model import Setting
from lightwork.store.operations.bounds.payloads import MAX_PAYLOAD, max_payload
from lightwork.store.sql.rows import storable
from lightwork.store.sql.spelling import Spelling
from lightwork.store.tables.clock_sql import NOW
from lightwork.store.tables.settings import setting

_LONGEST_NAME: Final = 200

_NAME: Final = setting.c.name == bindparam("b_name")
_CHANGE: Final = (
    update(setting)
    .where(_NAME)
    .values(
        value=bindparam("b_value"),
        set_by=bindparam("b_set_by"),
        set_at=bindparam("b_set_at", type_=setting.c.set_at.type),
    )
)
_UNSET: Final = delete(setting).where(_NAME)


def settings(connection: Connection, most: int) -> list[Setting]:
    """Return all settings by name; `most`: what is the default for payloads, and the most."""
    return [max_payload(connection, most)]


def change(
    connection: Connection, spelling: Spelling, name: str, value: int | None, *, by: str, most: int
) -> None:
    """Set or, with None, unset one.

    Raises:
        UsageError: There is none of this name, or the value makes no sense.
    """
    _check(name, value, most)
    if value is None:
        connection.execute(_UNSET, {"b_name": name})
        return
    row = {
        "b_name": name,
        "b_value": str(value),
        "b_set_by": storable(by, _LONGEST_NAME),
        "b_set_at": connection.scalar(select(NOW)),
    }
    # In this order two who do it at once both succeed, and the second one's word counts.
    spelling.insert_missing(connection, setting, [row])
    connection.execute(_CHANGE, row)


def _check(name: str, value: int | None, most: int) -> None:
    if name != MAX_PAYLOAD:
        raise UsageError(f"there is no setting {name!r:.100}; expected {MAX_PAYLOAD}")
    if value is not None and not LEAST_BOUND <= value <= most:
        raise UsageError(
            f"{MAX_PAYLOAD} is from {LEAST_BOUND:,} to {most:,} bytes, which is the most that workers read; "
            f"seen: {value:.12g}"
        )
