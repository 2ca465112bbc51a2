"""Patience: how long those who find no server wait for it to be there again.

A server that is restarted is away for a moment, and whoever asks then has lost nothing by waiting. The time
counts from when it was first found away, for all who ask: one that is gone for good costs a program
RESTART_SECONDS once, not for each of its calls. `_lock` guards `_away` and `_looked`.
"""

import random
import threading
from typing import Final

from lightwork.clock import monotonic

RESTART_SECONDS: Final = 10.0
# Of a thread whose event loop would wait, too.
LOOP_SECONDS: Final = 1.0
# Between two looks: about, or all would come at once.
_LOOK_SECONDS: Final = 0.2
# Nobody has looked for so long: it may have been there meanwhile.
_STALE_SECONDS: Final = 30.0


class Patience:
    """That of all who ask one server over one channel; any thread may call."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._away = self._looked = float("-inf")

    def note_there(self) -> None:
        """Note that the server is there: the next time that it is away counts anew."""
        with self._lock:
            self._away = self._looked = float("-inf")

    def note_away(self) -> float:
        """Note that it is not there; return since when."""
        now = monotonic()
        with self._lock:
            if now - self._looked > _STALE_SECONDS:
                self._away = now
            self._looked = now
            return self._away

    def wait(self, since: float, seconds: float) -> bool:
        """Wait until it is to be looked for again; False: it is given up.

        Args:
            since: When it was first found away.
            seconds: After which it is given up.
        """
        left = since + seconds - monotonic()
        if left <= 0 or self._over.is_set():
            return False
        return not self._over.wait(min(left, random.uniform(0.5, 1.5) * _LOOK_SECONDS))

    def end(self) -> None:
        """Let nobody wait any more; idempotent."""
        self._over.set()
