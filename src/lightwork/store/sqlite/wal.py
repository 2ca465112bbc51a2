"""WAL: copied into the database beside the writing of others, and cut when it is long.

SQLite copies by itself in the middle of whose commit made the thousandth page. That
is the moment when our file lock is held, so every process would wait for pages of one
(measured: a prune of 200,000 jobs let others wait for 0.7 s in one submit of a
hundred). So the copying is taken out of the commit:

    longer than COPY    copied by whoever wrote last, after the lock was given back
    longer than CUT     cut to nothing, under the lock: little is left to copy then. Readers
                        who look at an old snapshot forbid it; so it waits for them only
                        PATIENCE, and tries again RETRY seconds later

Without the cut a file that a long reader has let grow keeps its size for good.
"""

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final

from lightwork.clock import monotonic

COPY: Final = 4 * 2**20
CUT: Final = 16 * 2**20
RETRY: Final = 2.0
# Milliseconds.
PATIENCE: Final = 50


class Wal:
    """The WAL of one database, as the writer of this process looks after it."""

    def __init__(self, path: Path) -> None:
        self._name = f"{path}-wal"
        self._copied_at = 0
        self._cut_again_at = 0.0

    def cut(self, connection: sqlite3.Connection) -> None:
        """Cut it if it is long; under the lock and outside of a transaction."""
        if self._size() < CUT or monotonic() < self._cut_again_at:
            return
        (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
        connection.execute(f"PRAGMA busy_timeout = {PATIENCE}")
        # What cannot be cut now is as good as before: nobody's commit fails of it.
        with contextlib.suppress(sqlite3.Error):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        connection.execute(f"PRAGMA busy_timeout = {patience}")
        if self._size() >= CUT:
            self._cut_again_at = monotonic() + RETRY

    def copy(self, connection: sqlite3.Connection) -> None:
        """Copy it if it has grown by enough; without the lock."""
        size = self._size()
        if size < self._copied_at:
            # Cut, or begun anew.
            self._copied_at = 0
        if size - self._copied_at < COPY:
            return
        self._copied_at = size
        with contextlib.suppress(sqlite3.Error):
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def _size(self) -> int:
        try:
            return os.stat(self._name).st_size  # noqa: PTH116 - after each commit
        except OSError:
            return 0
