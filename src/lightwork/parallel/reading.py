"""Reading: takes inputs in a thread of its own, never more than a window ahead.

A slow input (a terminal, a log that somebody follows) must not keep the end of a
job from being shown, so the loop of the map never reads.
"""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from lightwork.errors import UsageError
from lightwork.parallel.jobs import MapJob

_BLOCK: Final = 1 << 16
_STDIN: Final = 0


@dataclass(frozen=True, slots=True)
class InputOver:
    """There are no more inputs; with the error that ended them, if one did."""

    error: Exception | None = None


class Reading:
    """Tells each input, and the end.

    Args:
        jobs: The inputs.
        tell: Called in the thread with each job, and once with InputOver.
        window: How many may be taken and not yet released.
    """

    def __init__(
        self, jobs: Iterator[MapJob], tell: Callable[[MapJob | InputOver], None], window: int
    ) -> None:
        self._jobs = jobs
        self._tell = tell
        self._permits = threading.Semaphore(window)
        self._is_stopped = False
        # A daemon: nothing wakes up a thread that reads from a terminal.
        self._thread = threading.Thread(target=self._run, name="lightwork-reading", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def release(self) -> None:
        """Let one more input be taken."""
        self._permits.release()

    def stop(self) -> None:
        """Take no more; what the thread waits for is left to the end of the process."""
        self._is_stopped = True
        self._permits.release()

    def _run(self) -> None:
        error = None
        try:
            while self._permits.acquire() and not self._is_stopped:
                job = next(self._jobs, None)
                if job is None or self._is_stopped:
                    break
                self._tell(job)
        except Exception as found:  # Whatever the input raised ends the map, not this thread alone.
            error = found
        self._tell(InputOver(error))


def open_blocks(path: str) -> Iterator[bytes]:
    """Open a file now ("-": standard input) and return what reads it block by block.

    Raises:
        UsageError: It cannot be opened.
    """
    if path == "-":
        # Not sys.stdin: its lock, held by a waiting thread, would break the interpreter's end.
        return _blocks(_STDIN)
    try:
        return _blocks(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def _blocks(file: int) -> Iterator[bytes]:
    try:
        while block := os.read(file, _BLOCK):
            yield block
    finally:
        if file != _STDIN:
            os.close(file)
