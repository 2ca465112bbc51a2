"""Same file: is what lies at the path still the file that this process has open?

A file that is deleted or replaced lives on for those who have it open, and SQLite
writes to it without a word: a commit succeeds and is gone with the process. So
whoever tells somebody that a job is kept looks here first. The WAL and its index
count as well: they hold the latest commits, and cannot change their inode while a
connection is open. A look costs three `stat` (4 us) and opens nothing.

What was moved away may come back (a folder is renamed and renamed again), and then
everybody goes on: while it is away nothing is written, and the error says to try
again. What was deleted or replaced never comes back. The two are told apart by what
we have open: a deleted file has no name any more.
"""

import os
from pathlib import Path
from typing import Final

from lightwork.errors import StoreError, StoreUnavailable
from lightwork.store.sqlite.fork_gate import open_files

_ENDINGS: Final = ("", "-wal", "-shm")


class SameFile:
    """The files of one database, as they were when a connection had just opened them.

    As a block: checks at its end, also where it raises. Of a file that is gone SQLite
    reports this and that.
    """

    def __init__(self, path: Path) -> None:
        self._names = [f"{path}{ending}" for ending in _ENDINGS]
        self._known = [_identity(name) for name in self._names]

    def check(self) -> None:
        """Raise unless the names still lead to the files that are open.

        Raises:
            StoreUnavailable: One was moved away; when it is back, all is well.
            StoreError: One was deleted or replaced; nothing that is written reaches the file
                any more.
        """
        for name, known in zip(self._names, self._known, strict=True):
            if (found := _identity(name)) != known:
                raise self._loss(name, known, is_replaced=found is not None)

    def _loss(self, name: str, known: tuple[int, int] | None, *, is_replaced: bool) -> StoreError:
        intro = f"store {self._names[0]}: while it was open here, {name} was"
        names = [status.st_nlink for at, status in open_files() if at == known]
        if not is_replaced and any(names):
            return StoreUnavailable(
                f"{intro} moved away; nothing is written until the same file is back at its place"
            )
        return StoreError(
            f"{intro} {'replaced' if is_replaced else 'deleted'}; what is written now is lost with "
            "this process. Stop every program that has it open, then open the store again"
        )

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_error: object) -> None:
        self.check()


def _identity(name: str) -> tuple[int, int] | None:
    try:
        # Three times in each commit: a Path would cost more than the call.
        status = os.stat(name)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino
