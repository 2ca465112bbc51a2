"""Event stream: what a durable executor tells its listeners.

What its own worker does it tells at once; what others do is read from the store by a thread that
runs once somebody listens (work/news/following.py). Whichever comes first is told, once. Listeners
are called in one more thread, one event after the other: the slowest of them delays the
others, and no job.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final

from lightwork.durable.delivery_thread import Delivery
from lightwork.errors import StoreError
from lightwork.events.kinds import Event, JobEvent
from lightwork.events.listeners import E, Listeners
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.pool.call.log_failure import log_failure
from lightwork.store.contract import Store
from lightwork.work.news.following import Follower, Seen

log = logging.getLogger(__name__)

# Between two looks while everything changes, and while nothing does.
_SOONEST_SECONDS: Final = 0.05
_IDLE_SECONDS: Final = 1.0


class EventStream:
    """The events of one executor, and who listens."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._delivery = Delivery()
        self._listeners = Listeners(run=self._delivery.give)
        self._seen = Seen()
        self._follower = Follower(store, self._listeners.hears, self._seen)
        self._lock = threading.Lock()  # guards the follower, and that its thread is started once
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        # What the own worker is given: it tells this stream.
        self.relay = _Relay(self._listeners, self._seen)

    def on(self, kind: type[E], fn: Callable[[E], object]) -> Callable[[], None]:
        """Call the function with each event of this kind from now on; return what ends that."""
        end = self._listeners.add(kind, fn)
        with Uninterrupted(), self._lock:
            # What is submitted next is heard of.
            self._follower.begin()
            if self._thread is None and not self._stop.is_set():
                self._delivery.start()
                thread = threading.Thread(target=self._run, name="lightwork-events", daemon=True)
                thread.start()
                self._thread = thread
        return end

    def close(self) -> None:
        """Tell what has happened until now, and nothing more; idempotent."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._delivery.close()

    def be_forked(self) -> None:
        """Forget the threads in a forked child, which has none of them."""
        self._thread = None
        self._stop.set()
        self.relay.is_closed = True

    def _run(self) -> None:
        seen = -1
        while not self._stop.is_set():
            if self._look():
                continue
            if self._stop.wait(_SOONEST_SECONDS):
                break
            try:
                seen = self._store.wait_for_change(seen, _IDLE_SECONDS)
            except StoreError:
                self._stop.wait(_IDLE_SECONDS)
        # Once more: what has happened before the end is told.
        self._look()

    def _look(self) -> bool:
        """Tell what is new; return whether that was anything."""
        try:
            with self._lock:
                events = self._follower.look()
        except StoreError as error:
            if not self._stop.wait(_IDLE_SECONDS):
                log.warning("events_not_read error=%s", error)
            return False
        except BaseException:
            # A defect, here or in the store: the next look may succeed.
            log_failure(log, "events_not_told")
            self._stop.wait(_IDLE_SECONDS)
            return False
        for event in events:
            self._listeners.tell(event)
        return bool(events)


class _Relay(Listeners):
    """Stands for all listeners of the stream where the own worker tells what it does."""

    def __init__(self, listeners: Listeners, seen: Seen) -> None:
        super().__init__()
        self._listeners = listeners
        self._seen = seen
        self.is_closed = False

    def hears(self, *of: type[Event]) -> bool:
        """Whether anybody listens to one of these kinds."""
        return self._listeners.hears(*of)

    def tell(self, event: Event) -> None:
        """Tell it, unless the store was faster."""
        if not self._listeners.hears(type(event)) or self.is_closed:
            return
        if not isinstance(event, JobEvent) or self._seen.add(event):
            self._listeners.tell(event)
