"""Column types that every dialect stores alike, and the metadata that knows all tables."""

import uuid
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Dialect,
    Double,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable

from lightwork.model import State

metadata: Final = MetaData()

# PostgreSQL and MySQL would otherwise give 4 bytes; SQLite counts only INTEGER by itself.
BigKey: Final = BigInteger().with_variant(Integer(), "sqlite")
# MySQL's BLOB and TEXT end at 64 KiB.
Blob: Final = LargeBinary(2**31 - 1)
# MySQL's FLOAT has 4 bytes.
Number: Final = Float().with_variant(Double(), "mysql", "mariadb")
LongText: Final = Text(2**24 - 1).with_variant(Text(), "sqlite", "postgresql")

# Of an Integer, which has 32 bits with a sign.
LARGEST: Final = 2**31 - 1

_WORDS: Final = frozenset(State)


def id_of(stored: Any) -> uuid.UUID:
    """Return a stored id; of a damaged one its first 16 bytes, filled up with zeros.

    Never `bytes(stored)`: of a number that is as many bytes.
    """
    found = stored if isinstance(stored, bytes) else str(stored).encode("utf-8", "replace")
    return uuid.UUID(bytes=found[:16].ljust(16, b"\0"))


class IdBytes(LargeBinary):
    """16 bytes; where a BLOB can be no key, a BINARY."""


@compiles(IdBytes, "mysql", "mariadb")
def _binary(_type: IdBytes, _compiler: Any, **_options: Any) -> str:
    return "BINARY(16)"


@compiles(CreateTable, "mysql", "mariadb")
def _create_table(create: CreateTable, compiler: Any, **options: Any) -> str:
    """Have names compared byte by byte, as elsewhere: `Mail` is not `mail`.

    From the first moment on: a program that is killed before it has changed what the
    database's default gave leaves tables whose revision says that they are right.
    """
    made = compiler.visit_create_table(create, **options).rstrip()
    return f"{made} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin\n\n"


class Id(TypeDecorator[uuid.UUID]):
    """A UUID as 16 bytes: a third of the text's size, and the same on every dialect."""

    impl = IdBytes(16)
    cache_ok = True

    def process_bind_param(self, value: uuid.UUID | None, _dialect: Dialect) -> bytes | None:
        """Return the bytes to store."""
        return None if value is None else value.bytes

    def process_result_value(self, value: Any, _dialect: Dialect) -> uuid.UUID | None:
        """Return the id that was stored."""
        return None if value is None else id_of(value)


class StateText(TypeDecorator[State]):
    """A state as its word."""

    impl = String(10)
    cache_ok = True

    def process_bind_param(self, value: State | str | None, _dialect: Dialect) -> str | None:
        """Return the word to store."""
        return None if value is None else str(value)

    def process_result_value(self, value: Any, _dialect: Dialect) -> Any:
        """Return the state that was stored; a damaged one as it is, which equals no state."""
        return State(value) if value in _WORDS else value
