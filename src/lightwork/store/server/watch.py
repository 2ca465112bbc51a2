"""Watch: notices that a database on a server was changed, by us or by another program.

The truth is a number that the server tells: how many transactions have written so far. Asking
costs a query. A commit of this program, and word from other programs (hints), wake those who wait
at once. Hints may be lost without anybody noticing (a pooler, a dead connection), so it is also
asked now and then: while what we send ourselves comes back, after two seconds; else after t
seconds without a change t/50 later, between 5 ms and 250 ms. However many wait, one of them
asks for all. Times vary by a quarter, so that a hundred workers do not ask in step.

What is returned is that number and how often somebody has told: word wakes those who wait
without a question, and once more when the number has followed.

`_woken` guards the fields.
"""

import random
import threading
from collections.abc import Callable
from typing import Final

from lightwork.clock import monotonic
from lightwork.store.server.server import Hints

SHORTEST_PAUSE: Final = 0.005
LONGEST_PAUSE: Final = 0.250
# Then it only finds what nobody waits for, such as heartbeats, and what no program of ours has written.
PAUSE_WITH_HINTS: Final = 2.0
_PART_OF_IDLE_TIME: Final = 1 / 50


class Watch:
    """Waits for changes of one database.

    Args:
        look: Asks the server.
        hints: Of whom it is known whether they arrive.
    """

    def __init__(self, look: Callable[[], int], hints: Hints) -> None:
        self._look = look
        self._hints = hints
        self._seen: int | None = None
        self._changed_at = monotonic()
        self._look_at = 0.0
        self._told = 0
        self._woken = threading.Condition()

    def changes(self) -> int:
        """Return a number that differs after every commit."""
        number = self._look()
        with self._woken:
            self._note(number)
            return number + self._told

    def notify(self) -> None:
        """Wake those who wait: somebody has committed."""
        with self._woken:
            self._told += 1
            self._changed_at = monotonic()
            self._woken.notify_all()

    def wait(self, seen: int, timeout: float) -> int:
        """Wait until `changes()` differs from `seen` or the time is up; return it."""
        self._hints.listen(self.notify)
        deadline = monotonic() + timeout
        while True:
            with self._woken:
                now = monotonic()
                if self._seen is not None:
                    number = self._seen + self._told
                    if number != seen or now >= deadline:
                        return number
                if now < self._look_at:
                    self._woken.wait(max(min(deadline, self._look_at) - now, 0.001))
                    continue
                # Meanwhile the others wait; whoever is interrupted in here delays them a little.
                self._look_at = now + self._pause(now)
            self.changes()

    def _note(self, number: int) -> None:
        now = monotonic()
        if number != self._seen:
            self._seen, self._changed_at = number, now
            self._woken.notify_all()
        self._look_at = now + self._pause(now)

    def _pause(self, now: float) -> float:
        idle = (now - self._changed_at) * _PART_OF_IDLE_TIME
        pause = min(max(idle, SHORTEST_PAUSE), LONGEST_PAUSE)
        if self._hints.are_heard():
            pause = PAUSE_WITH_HINTS
        return random.uniform(0.75, 1.25) * pause
