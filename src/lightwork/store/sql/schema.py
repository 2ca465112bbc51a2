"""Schema: does a database hold our tables, and in which revision?

Works on a connection, inside the caller's transaction. Asking costs one SELECT;
Alembic is imported only when there is something to upgrade. A new store gets the tables
as they are now, in one step; how an older one comes to have them say the migrations. Tests hold
the two ways against each other, on every database.
"""

from pathlib import Path
from typing import Any, Final

from sqlalchemy import Column, Connection, Dialect, MetaData, String, Table, inspect, select
from sqlalchemy.engine.mock import MockConnection

from lightwork.errors import SchemaMismatch
from lightwork.store.tables import metadata

# Oldest first; the files of migrations/versions carry the same words.
REVISIONS: Final = tuple(f"{number:04}" for number in range(1, 17))
VERSION_TABLE: Final = "lightwork_version"
# What stands there while a new store's tables are made, where each statement commits by itself.
_MAKING: Final = "making"
# As Alembic makes it, with one row.
_VERSION: Final = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), primary_key=True),
)

_known: Final[dict[tuple[str, bool], list[str]]] = {}


def is_current(connection: Connection) -> bool:
    """Return whether the tables are those of this program; False: upgrade them.

    Raises:
        SchemaMismatch: A newer program made them, or they are somebody else's.
    """
    found = revision(connection)
    if found == REVISIONS[-1]:
        return True
    if found and found not in REVISIONS:
        raise SchemaMismatch(
            f"the store's schema is revision {found!r}, this program knows only up to "
            f"{REVISIONS[-1]!r}: upgrade lightwork here, or use an older copy of the store"
        )
    if not found:
        _check_names_are_free(connection)
    return False


def revision(connection: Connection) -> str:
    """Return the revision of the store's tables; "": it has none, or not all of them yet."""
    return _word(connection).replace(_MAKING, "")


def _word(connection: Connection) -> str:
    if not inspect(connection).has_table(VERSION_TABLE):
        return ""
    return str(connection.scalar(select(_VERSION.c.version_num)) or "")


def upgrade(connection: Connection) -> None:
    """Bring the tables to this program's revision, in the caller's transaction."""
    if revision(connection):
        migrate(connection)
        return
    _check_names_are_free(connection)
    if inspect(connection).get_table_names():
        # Where DDL commits, a program may have been killed on its way: no job is in what it has made.
        metadata.drop_all(connection)
        _VERSION.drop(connection, checkfirst=True)
    _VERSION.create(connection)
    connection.execute(_VERSION.insert(), {"version_num": _MAKING})
    for statement in _statements(connection.dialect):
        connection.exec_driver_sql(statement)
    connection.execute(_VERSION.update(), {"version_num": REVISIONS[-1]})


def _statements(dialect: Dialect) -> list[str]:
    """Return what makes the tables, which takes longer to write than to execute: tests make many stores."""
    kind = (dialect.name, getattr(dialect, "is_mariadb", False))
    if kind not in _known:
        found: list[str] = []

        def keep(statement: Any, *_values: object) -> None:
            found.append(str(statement.compile(dialect=dialect)))

        metadata.create_all(MockConnection(dialect, keep), checkfirst=False)
        _known[kind] = found
    return _known[kind]


def migrate(connection: Connection, to: str = REVISIONS[-1]) -> None:
    """Take the steps that lead to a revision, from wherever the tables are."""
    # Alembic takes longer to import than an up-to-date store takes to open.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    # A percent sign would start an interpolation.
    folder = str(Path(__file__).parents[1] / "migrations").replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _check_names_are_free(connection: Connection) -> None:
    taken = sorted(metadata.tables.keys() & set(inspect(connection).get_table_names()))
    # In this order: whoever makes them says so first.
    if taken and not _word(connection):
        raise SchemaMismatch(
            f"the database has tables named {', '.join(taken)} that are not lightwork's; "
            "use another database"
        )
