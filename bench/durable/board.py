"""Board: where the bodies of jobs leave word that they ran, and when; about a microsecond each.

A file for each thread of each process: how many, the first and the last instant, all in
nanoseconds of the machine's monotonic clock, which its processes share. A body that is given an instant
also notes how long ago that was.
"""

import itertools
import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

FOLDER = "LIGHTWORK_BENCH_BOARD"
_WORDS = struct.Struct("qqq")
_own = threading.local()
# Not the numbers of threads, which the next one may have again.
_numbers = itertools.count()


class _Place:
    def __init__(self) -> None:
        name = Path(os.environ[FOLDER], f"{os.getpid()}-{next(_numbers)}")
        self.pid = os.getpid()
        with name.open("w+b") as file:
            file.truncate(_WORDS.size)
            self.words = memoryview(mmap.mmap(file.fileno(), _WORDS.size)).cast("q")
        # As long as the process lives; no file object, which would complain of that.
        self.waits = os.open(name.with_suffix(".waits"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def tick(sent: int = 0) -> None:
    """Say that a job runs; `sent`: when it was submitted, or 0."""
    now = time.monotonic_ns()
    place: _Place | None = getattr(_own, "place", None)
    if place is None or place.pid != os.getpid():
        place = _own.place = _Place()
        place.words[1] = now
    if sent:
        os.write(place.waits, struct.pack("q", now - sent))
    place.words[2] = now
    place.words[0] += 1


class Board:
    """What has been left, as the one who measures sees it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def count(self) -> int:
        """Return how many bodies have run."""
        return sum(words[0] for words in self._words())

    def seconds(self) -> float:
        """Return the time from the first to the last."""
        words = [*self._words()]
        return (max(last for _, _, last in words) - min(first for _, first, _ in words)) / 1e9

    def waits(self) -> list[float]:
        """Return how long each was on its way, in milliseconds."""
        data = b"".join(path.read_bytes() for path in self._folder.glob("*.waits"))
        return [wait / 1e6 for (wait,) in struct.iter_unpack("q", data)]

    def _words(self) -> Iterator[tuple[int, int, int]]:
        for path in self._folder.iterdir():
            data = path.read_bytes() if not path.suffix else b""
            if len(data) == _WORDS.size:
                count, first, last = _WORDS.unpack(data)
                if count:
                    yield count, first, last
