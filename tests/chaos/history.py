"""History: what a process knows to have happened, in a file that outlives it by any death.

A line for each thing, written by one system call: whoever is killed leaves whole lines, and
the kernel keeps what was written. Many processes may write one file.
"""

import os
from collections.abc import Iterator
from pathlib import Path


class History:
    """Appends lines of words."""

    def __init__(self, path: str | Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC)

    def note(self, *words: object) -> None:
        """Append one line."""
        os.write(self._descriptor, f"{' '.join(map(str, words))}\n".encode())

    def close(self) -> None:
        os.close(self._descriptor)


def read_history(path: str | Path) -> Iterator[list[str]]:
    """Yield the words of each line."""
    if Path(path).exists():
        with Path(path).open() as lines:
            yield from (line.split() for line in lines)
