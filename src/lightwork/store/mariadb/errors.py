"""Errors of MariaDB and MySQL, mapped once, by their numbers."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import exc

from lightwork.errors import SchemaMismatch, StoreError, StoreUnavailable

DUPLICATE: Final = 1062
# Another transaction won (deadlock, lock wait, a row that was changed, the same new key at once);
# ours is undone and may run again.
_CONFLICTS: Final = frozenset({1213, 1205, 1020, DUPLICATE})
_AWAY: Final = (StoreUnavailable, "the connection was lost; nothing was changed")
_ENDING: Final = (StoreUnavailable, "the server is shutting down; nothing was changed")
_TOO_MANY: Final = (StoreUnavailable, "the server has no connection left; raise max_connections")
_DENIED: Final = (StoreError, "it refuses this user or password; correct the URL or grant it more")
_FOREIGN: Final = (
    SchemaMismatch,
    "its tables are not those of this program; run `lightwork db check`",
)
_LOST: Final = (StoreUnavailable, "other transactions kept undoing this one; try again")
_NUMBERS: Final[Mapping[int, tuple[type[StoreError], str]]] = {
    **dict.fromkeys(_CONFLICTS, _LOST),
    **dict.fromkeys((2002, 2003), (StoreUnavailable, "it cannot be reached")),
    **dict.fromkeys((2006, 2013, 2014, 2055, 1927), _AWAY),
    **dict.fromkeys((1053, 1077, 1079), _ENDING),
    **dict.fromkeys((1040, 1203, 1226), _TOO_MANY),
    **dict.fromkeys((1044, 1045, 1142, 1143, 1698), _DENIED),
    **dict.fromkeys((1146, 1054), _FOREIGN),
    **dict.fromkeys(
        (1021, 1114), (StoreUnavailable, "the server's disk is full; nothing was changed")
    ),
    **dict.fromkeys(
        (1290, 1792, 1836), (StoreUnavailable, "this server only reads now; connect to the primary")
    ),
    1049: (StoreError, "there is no such database; create it first (CREATE DATABASE NAME)"),
    1153: (StoreError, "a value is larger than the server's max_allowed_packet; raise that"),
}


def is_conflict(error: exc.DBAPIError) -> bool:
    """Return whether the transaction lost against another one."""
    return number_of(error) in _CONFLICTS


def store_error(error: Exception, where: str) -> StoreError:
    """Return our error for a driver's; the driver's stays attached as the cause."""
    cause = getattr(error, "orig", None) or error
    said = str(cause.args[-1] if cause.args else cause)
    known = _NUMBERS.get(number_of(error))
    if known is None and getattr(error, "connection_invalidated", False):
        known = _AWAY
    if known is not None:
        kind, advice = known
        return kind(f"store {where}: {advice} (the server said: {said})")
    return StoreError(f"store {where}: the server refused a statement: {said}")


def number_of(error: Exception) -> int:
    """Return the number of an error of SQLAlchemy's, 0 if it has none."""
    found = getattr(getattr(error, "orig", None), "args", ()) or (0,)
    return found[0] if isinstance(found[0], int) else 0
