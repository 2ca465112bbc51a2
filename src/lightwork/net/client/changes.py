"""Changes: one long poll for all who wait for a store that is behind a server.

A thread asks, as long as somebody waits: `seen` is what the server told last, and the answer comes when
its number is another. It is told to those who wait here as a number of our own, which grows with every
answer that differs: numbers of a server that was restarted mean something else.

While everything changes all the time nobody needs to hear of each: at most BURST answers at once, and
then RATE in a second. `_woken` guards the fields.
"""

import itertools
import threading
import uuid
from collections.abc import Callable, Collection, Sequence
from typing import Final

from msgspec.structs import replace

from lightwork.clock import monotonic
from lightwork.errors import StoreError
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.model import Lane
from lightwork.net.client.carried import Carried, longest_wait
from lightwork.net.wire.about import LONGEST_WAIT, Poll, Polled

BURST: Final = 32.0
RATE: Final = 200.0
# After so long without anybody who waits, nobody asks.
_WANTED_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 0.5
_AFTER_NEWS_SECONDS: Final = 0.003
# For which what was told is as good as what is asked.
_LANES_SECONDS: Final = 0.05


class Changes:
    """Waits for changes of one store.

    Args:
        ask: Asks the server.
        workers: Returns the incarnations that this store is used by.
        queues: Those that they serve, if only what gives them something to do is news; see Poll.
        carried: Whose leases its polls renew.
        but_submits: Jobs that are submitted are no news.
    """

    def __init__(
        self,
        ask: Callable[[Poll], Polled],
        workers: Callable[[], list[uuid.UUID]],
        queues: Sequence[str] = (),
        carried: Carried | None = None,
        *,
        but_submits: bool = False,
    ) -> None:
        self._but_submits = but_submits
        self._carried = carried
        self._ask = ask
        self._workers = workers
        self._queues = list(queues)
        self._is_closed = False
        self._server, self._seen = "", None  # type: tuple[str, int | None]
        self._count = 0
        self.be_new()

    def be_new(self) -> None:
        """Begin without a thread, in a forked child too."""
        self._woken = threading.Condition()
        self._thread: threading.Thread | None = None
        self._error: StoreError | None = None
        self._wanted_until = 0.0
        # Whether the thread asks, or does so again at once, and will hear of the next change.
        self._is_parked = False
        self._credit, self._credited_at = BURST, monotonic()
        # A question with a later number was answered before: the answer to an earlier one is stale.
        self._questions = itertools.count()
        self._answered = -1
        # What was told with the last news, until somebody has taken it; for whom is asked.
        self._lanes: tuple[float, list[Lane]] | None = None
        self._named: Collection[uuid.UUID] = ()

    def changes(self) -> int:
        """Return a number that differs after every commit; asks the server."""
        return self._look(0.0)

    def wait(self, seen: int, timeout: float) -> int:
        """Wait until `changes()` differs from `seen` or the time is up; return it.

        Raises:
            StoreError: The server cannot be asked.
        """
        deadline = monotonic() + timeout
        if self._begin_to_ask():
            # Nobody has asked until now.
            self.changes()
        with self._woken:
            while self._count == seen and (left := deadline - monotonic()) > 0:
                if self._error is not None:
                    raise self._error
                self._woken.wait(left)
            return self._count

    def followed(self) -> int | None:
        """Return the number of the last news, if news comes by itself now; None: it does not."""
        is_followed = self._is_parked and self._error is None
        return self._count if is_followed else None

    def names(self, worker: uuid.UUID) -> bool:
        """Whether news of this worker comes, where it comes by itself."""
        return worker in self._named

    def take_lanes(self) -> list[Lane] | None:
        """Return where jobs are ready, as it was told a moment ago; once, for they are claimed then."""
        told, self._lanes = self._lanes, None
        return told[1] if told is not None and monotonic() < told[0] else None

    def close(self) -> None:
        """Ask no more; idempotent. Who closes the connection ends the question that is under way."""
        with Uninterrupted(), self._woken:
            self._is_closed = True
            thread = self._thread
            self._woken.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _begin_to_ask(self) -> bool:
        """See to it that somebody asks; return whether nobody did."""
        # A Ctrl-C in here would leave the lock taken, or a thread that was never started.
        with Uninterrupted(), self._woken:
            self._wanted_until = monotonic() + _WANTED_SECONDS
            if self._thread is not None or self._is_closed:
                return False
            thread = threading.Thread(target=self._run, name="lightwork-changes", daemon=True)
            thread.start()
            self._thread = thread
            return True

    def _run(self) -> None:
        while self._is_wanted():
            # The first question is answered at once, and what comes after is no answer to it.
            self._is_parked = self._seen is not None
            try:
                self._look(LONGEST_WAIT)
            except StoreError as error:
                self._is_parked = False
                self._tell(error)
                self._pause(_RETRY_SECONDS)
                self._tell(None)
            else:
                # Those who were woken have a question, which goes first.
                self._pause(max(self._next_pause(), _AFTER_NEWS_SECONDS))

    def _is_wanted(self) -> bool:
        with self._woken:
            if not self._is_closed and monotonic() < self._wanted_until:
                return True
            self._thread, self._is_parked = None, False
            return False

    def _look(self, wait: float) -> int:
        with self._woken:
            question = next(self._questions)
            server, seen = self._server, self._seen
        self._named = workers = self._workers()
        if not wait or self._carried is None:
            queues = self._queues if wait else []
            polled = self._ask(
                Poll(server, seen, wait, workers, queues, but_submits=self._but_submits)
            )
        else:
            polled = self._carry(self._carried, Poll(server, seen, wait, workers, self._queues))
        with self._woken:
            if question > self._answered:
                self._answered = question
                is_new = (polled.server, polled.number) != (self._server, self._seen)
                is_other = self._seen is None or polled.server != self._server
                self._server, self._seen = polled.server, polled.number
                if is_other or self._is_news(polled, is_new=is_new):
                    self._count += 1
                    if polled.lanes:
                        self._lanes = monotonic() + _LANES_SECONDS, polled.lanes
                    self._woken.notify_all()
            count = self._count
        if wait and polled.back_off:
            # Else all who were told so would come back at once.
            self._pause(polled.back_off)
        return count

    def _carry(self, carried: Carried, poll: Poll) -> Polled:
        """Ask, and have the leases of workers renewed by it."""
        lease = carried.begin(poll.workers)
        sent_at = monotonic()
        try:
            polled = self._ask(replace(poll, wait=min(poll.wait, longest_wait(lease)), lease=lease))
        except BaseException:
            carried.fail()
            raise
        carried.end(sent_at, polled.renewed, polled.lost)
        return polled

    def _is_news(self, polled: Polled, *, is_new: bool) -> bool:
        """Whether an answer is to be told here; that of a worker may say that nothing has come for it."""
        return (bool(polled.lanes) or polled.is_ending) if self._queues else is_new

    def _tell(self, error: StoreError | None) -> None:
        with self._woken:
            self._error = error
            self._woken.notify_all()

    def _pause(self, seconds: float) -> None:
        until = monotonic() + seconds
        with self._woken:
            while not self._is_closed and (left := until - monotonic()) > 0:
                self._woken.wait(left)

    def _next_pause(self) -> float:
        now = monotonic()
        self._credit = min(self._credit + (now - self._credited_at) * RATE, BURST) - 1
        self._credited_at = now
        return max(-self._credit / RATE, 0.0)
