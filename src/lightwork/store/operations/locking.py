"""Locking: jobs found by their ids stay where they are until the transaction ends."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, Table

from lightwork.store.sql import jobs as sql
from lightwork.store.sql.in_lists import padded_chunks
from lightwork.store.sql.rows import AnyRow
from lightwork.store.tables.jobs import TABLE_OF

Locks = Mapping[Table, Select[Any]]


def locked(
    connection: Connection, job_ids: Iterable[uuid.UUID], locks: Locks = sql.LOCK
) -> list[AnyRow]:
    """Return jobs as they are, and stay: rows of sql.FIND."""
    found: list[AnyRow] = []
    rest = list(job_ids)
    while rest:
        rows = list(by_id(connection, sql.FIND, rest))
        held = set(_lock(connection, rows, locks))
        # Those that have moved since they were found are looked for again.
        rest = [row.id for row in rows if row.seq not in held]
        found += [row for row in rows if row.seq in held]
    return found


def by_id(connection: Connection, statement: Any, job_ids: Iterable[uuid.UUID]) -> Iterator[AnyRow]:
    """Yield the rows of a statement about jobs, many at a time."""
    # Each id once: a job that is given twice must not be changed or counted twice.
    for chunk in padded_chunks(dict.fromkeys(job_ids)):
        yield from connection.execute(statement, {"b_ids": chunk})


def _lock(connection: Connection, rows: Sequence[AnyRow], locks: Locks) -> Iterator[int]:
    """Lock jobs where they were found; yield the seqs of those that still are there."""
    seqs: defaultdict[Table, dict[int, int]] = defaultdict(dict)
    for row in rows:
        if row.state in TABLE_OF:
            seqs[TABLE_OF[row.state]][row.seq] = row.attempt
        else:
            # A damaged store may have a job nowhere: there is nothing to lock.
            yield row.seq
    for table, attempts in seqs.items():
        for chunk in padded_chunks(sorted(attempts)):
            for row in connection.execute(locks[table], {"b_seqs": chunk}):
                if attempts[row.seq] == row.attempt:
                    yield row.seq
