"""Errors of PostgreSQL, mapped once: what it says, in the words of errors.py.

By SQLSTATE, whose first two characters name a class. While connecting libpq gives only a
text; the few that mean that somebody must act first are known by their English words, and
every other failure to connect may pass by itself.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import exc

from lightwork.errors import SchemaMismatch, StoreError, StoreUnavailable

# Another transaction won; ours was undone and may run again.
_CONFLICTS: Final = frozenset({"40001", "40P01"})
_STATES: Final[Mapping[str, tuple[type[StoreError], str]]] = {
    "40": (StoreUnavailable, "other transactions kept undoing this one; try again"),
    "08": (StoreUnavailable, "the connection was lost; nothing was changed"),
    "53300": (StoreUnavailable, "the server has no connection left; raise max_connections"),
    "53100": (StoreUnavailable, "the server's disk is full; nothing was changed"),
    "53": (StoreUnavailable, "the server is short of resources; nothing was changed"),
    "57P": (StoreUnavailable, "the server is starting up or shutting down; nothing was changed"),
    "57014": (StoreUnavailable, "somebody cancelled the statement; nothing was changed"),
    "58": (StoreUnavailable, "the server's system reported an error; look at its log"),
    "55P03": (StoreUnavailable, "another transaction holds a lock; nothing was changed"),
    "25006": (StoreUnavailable, "this server only reads now; connect to the primary"),
    "28": (StoreError, "it refuses this user or password; correct the URL"),
    "3D000": (StoreError, "there is no such database; create it first (createdb NAME)"),
    "42501": (StoreError, "this user may not do that; grant it more"),
    "42P01": (SchemaMismatch, "its tables are not those of this program; run `lightwork db check`"),
    "42703": (SchemaMismatch, "its tables are not those of this program; run `lightwork db check`"),
    "3F000": (StoreError, "no schema is on the search_path; create one or name it in the URL"),
    "XX001": (StoreError, "data on the server's disk is damaged; restore a copy"),
    "XX002": (StoreError, "an index on the server is damaged; REINDEX it"),
}
_WORDS: Final[Mapping[str, str]] = {
    # Before the words that follow, which these texts have, too.
    "too many c": "53300",
    "authentication failed": "28",
    "no password supplied": "28",
    "no pg_hba.conf entry": "28",
    'role "': "28",
    'database "': "3D000",
    "remaining connection slots": "53300",
    "the database system is": "57P",
}


def is_conflict(error: exc.DBAPIError) -> bool:
    """Return whether the transaction lost against another one."""
    return state_of(error) in _CONFLICTS


def store_error(error: Exception, where: str) -> StoreError:
    """Return our error for a driver's; the driver's stays attached as the cause."""
    said = str(getattr(error, "orig", None) or error).strip().replace("\n", "; ")
    state = state_of(error) or next((state for words, state in _WORDS.items() if words in said), "")
    for start in sorted(_STATES, key=len, reverse=True):
        if state.startswith(start):
            kind, advice = _STATES[start]
            return kind(f"store {where}: {advice} (PostgreSQL said: {said})")
    if getattr(error, "connection_invalidated", False):
        return StoreUnavailable(
            f"store {where}: the connection was lost; nothing was changed (said: {said})"
        )
    if not state and isinstance(error, exc.OperationalError):
        return StoreUnavailable(f"store {where}: it cannot be reached (said: {said})")
    return StoreError(f"store {where}: PostgreSQL refused a statement: {said}")


def state_of(error: Exception) -> str:
    """Return the SQLSTATE of an error of SQLAlchemy's, "" if it has none."""
    return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")
