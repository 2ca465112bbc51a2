"""The WAL is copied beside the writing of others, and does not keep what a reader let it grow to."""

import sqlite3
from pathlib import Path

from lightwork.store.sqlite.wal import COPY, CUT
from lightwork.store.sqlstore import SqlStore
from store.steps import new_job, submitted
from waiting import wait_until

LARGE = b"x" * 500_000


def wal_size(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


def grow(store: SqlStore, path: Path, size: int) -> None:
    while wal_size(path) < size:
        store.submit([new_job(payload=LARGE) for _ in range(8)])


def test_wal_that_a_reader_let_grow_is_cut_when_the_reader_is_gone(
    store: SqlStore, path: Path
) -> None:
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM job").fetchone()
    grow(store, path, 2 * CUT)
    reader.execute("ROLLBACK")
    reader.close()

    def is_cut_after_a_commit() -> bool:
        submitted(store)
        return wal_size(path) <= CUT

    wait_until(is_cut_after_a_commit, "the WAL is cut")


def test_wal_is_copied_into_the_file_without_a_reader_too(store: SqlStore, path: Path) -> None:
    for _ in range(20):
        store.submit([new_job(payload=LARGE) for _ in range(8)])
        # Posted behind the copying that follows a commit.
        submitted(store)

    assert wal_size(path) <= CUT
    assert path.stat().st_size > COPY


def test_reader_of_an_old_snapshot_holds_up_no_write(store: SqlStore, path: Path) -> None:
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    (before,) = reader.execute("SELECT count(*) FROM job").fetchone()

    grow(store, path, CUT + COPY)

    assert reader.execute("SELECT count(*) FROM job").fetchone() == (before,)
    reader.close()
