"""Tables of primitives: locks, queues and shared values, and the sessions that use them.

    primitive_session     a process, with a lease
       │ member           where it may hold something, or wait
    primitive ── cell     the state of its machine; what is large of it, one by one
       │
    primitive_caller      the last request of each thread, and its answer

A session without a row is lost, as one whose lease ran out: so to delete the row ends it.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, UniqueConstraint

from lightwork.store.tables.types import BigKey, Blob, Id, IdBytes, metadata

# What primitive_caller.status says of the last request.
WAITS: Final = 0
ANSWERED: Final = 1
WITHDRAWN: Final = 2

primitive = Table(
    "primitive",
    metadata,
    # A hash of kind and name.
    Column("id", Id, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("name", String(200), nullable=False),
    # 0: its name is chance.
    Column("is_named", Integer, nullable=False),
    # A hash of what it was made with.
    Column("spec", IdBytes(16), nullable=False),
    # msgpack of the machine's state.
    Column("state", Blob, nullable=False),
    # How often it was changed: the guard of the next change.
    Column("version", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    # When the last token was granted.
    Column("granted_at", BigInteger),
)
primitive_cell = Table(
    "primitive_cell",
    metadata,
    # Cells are gone through in the order in which they were made.
    Column("number", BigKey, primary_key=True, autoincrement=True),
    Column("primitive", Id, nullable=False),
    # A hash of the key, which may be longer than an index takes.
    Column("hash", IdBytes(16), nullable=False),
    Column("key", Blob, nullable=False),
    Column("value", Blob, nullable=False),
    UniqueConstraint("primitive", "hash", name="primitive_cell_key"),
    sqlite_autoincrement=True,
)
Index("primitive_cell_order", primitive_cell.c.primitive, primitive_cell.c.number)
primitive_session = Table(
    "primitive_session",
    metadata,
    Column("id", Id, primary_key=True),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
)
primitive_member = Table(
    "primitive_member",
    metadata,
    Column("primitive", Id, primary_key=True),
    Column("session", Id, primary_key=True),
)
Index("primitive_member_session", primitive_member.c.session)
primitive_caller = Table(
    "primitive_caller",
    metadata,
    Column("session", Id, primary_key=True),
    Column("thread", Integer, primary_key=True, autoincrement=False),
    Column("request", BigInteger, nullable=False),
    Column("primitive", Id, nullable=False),
    # One of WAITS, ANSWERED and WITHDRAWN.
    Column("status", Integer, nullable=False),
    # The answer, as msgpack; and the word of a refusal.
    Column("value", Blob, nullable=False),
    Column("refused", String(100), nullable=False),
)
