"""Inside: the worker that `lightwork serve --workers N` runs beside its server.

An ordinary `lightwork worker` in a process of its own, on the database itself. It ends when its
input does: whatever becomes of the server, no worker is left behind.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Final

log = logging.getLogger(__name__)

# In which it is told which store: the URL may hold a password, and anybody reads arguments.
_URL: Final = "LIGHTWORK_URL"
_PROGRAM: Final = (
    "from lightwork.cli.main import main; from lightwork.cli.serve.inside import end_with_input; "
    "end_with_input(); main()"
)
_AGAIN_SECONDS: Final = 1.0
_MISUSED: Final = 2


class InsideWorker:
    """Keeps one worker running until it is stopped.

    Args:
        url: Of the store.
        arguments: Of `lightwork worker`.
        on_failed: Called with what it ended with if it can never run, in a thread.
    """

    def __init__(
        self, url: str, arguments: Sequence[str], on_failed: Callable[[int], None]
    ) -> None:
        self._url = url
        self._arguments = arguments
        self._on_failed = on_failed
        self._stop = threading.Event()
        self._process = self._start()
        self._thread = threading.Thread(target=self._watch, name="lightwork-inside")
        self._thread.start()

    def stop(self) -> None:
        """Have it end; returns at once. Idempotent."""
        self._stop.set()
        self._end_input()

    def join(self) -> None:
        """Return when it has ended, and what it ran with it."""
        self._thread.join()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, "worker", *self._arguments],
            stdin=subprocess.PIPE,
            env=os.environ | {_URL: self._url},
            # A Ctrl-C at the terminal is the server's to obey: it ends this one.
            process_group=0,
        )

    def _watch(self) -> None:
        while True:
            status = self._process.wait()
            self._end_input()
            if self._stop.is_set():
                return
            log.warning("inside_worker_ended status=%d", status)
            if status == _MISUSED:
                self._on_failed(status)
                return
            if self._stop.wait(_AGAIN_SECONDS):
                return
            self._process = self._start()
            if self._stop.is_set():
                # It was told so before there was this one.
                self._end_input()

    def _end_input(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()


def end_with_input() -> None:
    """Let the worker of this process stop as soon as standard input ends."""
    threading.Thread(target=_stop_at_end_of_input, daemon=True).start()


def _stop_at_end_of_input() -> None:
    # Not sys.stdin: a thread that waits in it would break the interpreter's exit.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
