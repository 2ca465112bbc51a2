"""Session: the lease on which all hangs that this process holds at a store.

One for a process, renewed by one thread that starts with it, so a thousand locks cost no more than
one. It is trusted as a worker trusts its lease (work/lease.py says why):

    trusted until  =  when the last successful renewal was *sent*  +  lease  -  margin

A store that is out of reach for a while is waited for, as long as it is trusted. Once it is not, it is lost for
ever, whatever the store says: this process has acted on that. Then the store is told, if it can be, so that
others get at once what was held here.
"""

import contextlib
import logging
import os
import random
import socket
import threading
import uuid
from collections.abc import Callable
from typing import Final

from lightwork.clock import monotonic
from lightwork.errors import StoreError
from lightwork.store.contract import Store
from lightwork.store.contracts.primitives import SessionInfo

log = logging.getLogger(__name__)

LEASE: Final = 10.0
# Shares of the lease: kept in reserve, and between two renewals.
_MARGIN: Final = 0.2
_BEAT: Final = 1 / 3


class Session:
    """One session of this process.

    Args:
        store: Where.
        lease: Seconds for which a renewal holds.
        on_beat: Called after each renewal, in the thread that renews; returns at once.
    """

    def __init__(
        self, store: Store, *, lease: float = LEASE, on_beat: Callable[[], None] = lambda: None
    ) -> None:
        self.id = uuid.uuid4()
        self._store = store
        self._lease = lease
        self._on_beat = on_beat
        self._stop = threading.Event()
        self._is_lost = False
        self._trusted_until = 0.0
        self._thread = threading.Thread(
            target=self._renew_on, name="lightwork-session", daemon=True
        )

    def begin(self) -> None:
        """Begin it in the store.

        Raises:
            StoreError: That cannot be done.
        """
        sent_at = monotonic()
        info = SessionInfo(id=self.id, host=socket.gethostname(), pid=os.getpid())
        self._store.open_session(info, lease=self._lease)
        self._trusted_until = sent_at + self._lease * (1 - _MARGIN)
        self._thread.start()

    def is_trusted(self) -> bool:
        """Whether what it holds is held: look before anything relies on it."""
        return not self._is_lost and monotonic() < self._trusted_until

    def lose(self) -> None:
        """Trust it no more: the store has said that it is over."""
        self._is_lost = True
        self._stop.set()

    def end(self) -> None:
        """End it, in the store too if that can be reached; idempotent. Nothing renews it after that."""
        was_trusted = self.is_trusted()
        self.lose()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()
        if was_trusted:
            self._end_in_store()

    def _renew_on(self) -> None:
        while not self._stop.wait(self._lease * _BEAT * random.uniform(0.8, 1.0)):
            if self._renew():
                self._on_beat()
            elif not self._stop.is_set():
                self.lose()
                log.warning("session_lost session=%s store=%s", self.id, self._store.safe_url)
                self._end_in_store()

    def _renew(self) -> bool:
        """Renew once, trying again while that can help; False: it is lost, or ends."""
        while not self._stop.is_set():
            sent_at = monotonic()
            try:
                is_live = self._store.renew_session(self.id, lease=self._lease)
            except StoreError:
                if not self.is_trusted():
                    return False
                self._stop.wait(self._lease / 20)
            else:
                # What came too late: somebody may have been told that it is lost.
                if not is_live or not self.is_trusted():
                    return False
                self._trusted_until = sent_at + self._lease * (1 - _MARGIN)
                return True
        return False

    def _end_in_store(self) -> None:
        with contextlib.suppress(StoreError):
            self._store.end_session(self.id)
