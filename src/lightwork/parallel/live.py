"""Live: outputs of programs that still run, line by line (--lb).

Programs write into files without names as ever, so none of them waits for us; whoever
prints looks at the files now and then and takes what has grown, in whole lines. What a
program's last line lacks is taken when the program has ended.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Final

from lightwork.parallel.jobs import MapJob

_BLOCK: Final = 1 << 20
# Takes the job, which output (0: standard output), and lines.
Write = Callable[[MapJob, int, bytes], None]


@dataclass(slots=True)
class _Watched:
    """The outputs of one run: descriptors of our own, and how far each was taken."""

    job: MapJob
    files: tuple[int, int]
    taken: list[int] = field(default_factory=lambda: [0, 0])
    is_over: bool = False


class Live:
    """Watches outputs; `_lock` guards `_watched`, the rest of it belongs to who drains."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: list[_Watched] = []

    @contextmanager
    def watch(self, job: MapJob, stdout: IO[bytes], stderr: IO[bytes]) -> Iterator[None]:
        """Watch the outputs of a run, which ends with the block."""
        found = _Watched(job, (os.dup(stdout.fileno()), os.dup(stderr.fileno())))
        with self._lock:
            self._watched.append(found)
        try:
            yield
        finally:
            found.is_over = True

    def drain(self, write: Write) -> None:
        """Write what is new; called by one thread at a time."""
        with self._lock:
            # Read before the files: what is over now has written all of it.
            seen = [(found, found.is_over) for found in self._watched]
        for found, is_over in seen:
            for stream in (0, 1):
                _drain_one(found, stream, write, is_over=is_over)
            if is_over:
                with self._lock:
                    self._watched.remove(found)
                for file in found.files:
                    os.close(file)


def _drain_one(found: _Watched, stream: int, write: Write, *, is_over: bool) -> None:
    while data := os.pread(found.files[stream], _BLOCK, found.taken[stream]):
        # A line that is longer than a block cannot be waited for.
        is_whole = is_over or len(data) == _BLOCK
        whole = len(data) if is_whole else data.rfind(b"\n") + 1
        if not whole:
            return
        write(found.job, stream, data[:whole])
        found.taken[stream] += whole
