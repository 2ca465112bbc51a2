"""Log sender: the child's side: what it logs goes to the pool, as frames beside the answers.

Any thread may log, and so may a finalizer that the garbage collector runs in the
middle of anything; but only one thread, and only one call at a time, may write to
the outbox. So records wait in a short line of their own, which that thread sends
whenever it is not already writing: at once if it logs itself, else with the next
answer. When the line is full, records are dropped and counted.

Whoever sleeps has sent (memory/sending.py), here too: what that thread says itself, however
it comes to that, is sent before its process may block. Only what other threads say
while no call runs waits for the next answer, or for the child's end.

Only a child of a pool with `logs=True` loads this file.
"""

import logging
import os
import pickle
from collections import deque
from collections.abc import Callable
from threading import get_ident
from typing import Final

from lightwork.locks.owned_lock import OwnedLock
from lightwork.pool.memory.outbox import AnyOutbox
from lightwork.pool.wire.frames import Kind, pack_frame

_WAITING_MAX: Final = 1000
_PLAIN: Final = (str, int, float, bool, type(None))


class LoggingOutbox:
    """An outbox that sends waiting records as well."""

    def __init__(self, outbox: AnyOutbox) -> None:
        self._outbox = outbox
        self._thread = get_ident()
        # Held while writing: threads of a call may report progress. Reentrant only so that
        # a finalizer, which may log anywhere, can tell that it has interrupted its holder.
        self._turn = OwnedLock()
        os.register_at_fork(after_in_child=self._be_forked)
        # Filled by any thread, emptied by the one that writes.
        self._waiting: deque[bytes] = deque()
        self._dropped = 0

    def put(self, frame: bytes) -> None:
        """Keep a frame; see Outbox."""
        self._write(lambda: self._outbox.put(frame))

    def flush(self) -> None:
        """Send all that waits; then this process may sleep."""
        self._write(self._outbox.flush)
        while self._waiting:
            # A finalizer has logged in the middle of that.
            self._write(self._outbox.flush)

    def say(self, record: bytes) -> None:
        """Send a packed record, now or with the next answer; any thread may call this."""
        if len(self._waiting) >= _WAITING_MAX:
            self._dropped += 1
            return
        self._waiting.append(pack_frame(Kind.LOG, 0, record))
        if get_ident() == self._thread and not self._turn.is_owned():
            # At once: the call may run for an hour from here.
            self.flush()

    def _write(self, act: Callable[[], None]) -> None:
        with self._turn:
            while self._waiting:
                self._outbox.put(self._waiting.popleft())
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                self._outbox.put(pack_frame(Kind.LOG, 0, pickle.dumps(dropped)))
            act()

    def _be_forked(self) -> None:
        # A process that a call has forked has no pool to tell anything: nobody's thread.
        self._thread = 0


class _Sender(logging.Handler):
    """Where the records of this child end up."""

    def __init__(self, outbox: LoggingOutbox) -> None:
        super().__init__()
        self._outbox = outbox
        self._formatter = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._outbox.say(self._pack(record))
        except Exception:
            self.handleError(record)

    def _pack(self, record: logging.LogRecord) -> bytes:
        said = dict(vars(record), msg=record.getMessage(), args=None, exc_info=None)
        if record.exc_info:
            said["exc_text"] = self._formatter.formatException(record.exc_info)
        # What else it carries must not fail, nor run code, in the pool.
        return pickle.dumps(
            {name: value if type(value) in _PLAIN else repr(value) for name, value in said.items()}
        )


def send_logs(outbox: AnyOutbox, levels: dict[str, int]) -> LoggingOutbox:
    """Send what this process logs from these levels on; return the outbox to use from now on.

    Args:
        outbox: The child's, used by the calling thread only.
        levels: By name of the logger, the root's under "".
    """
    logging_outbox = LoggingOutbox(outbox)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger().addHandler(_Sender(logging_outbox))
    return logging_outbox
