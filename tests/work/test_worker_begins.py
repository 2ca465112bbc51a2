"""A worker whose store goes away just before it is known there: it begins when the store is back."""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from lightwork.errors import StoreUnavailable
from lightwork.model import State
from lightwork.store.contract import Store
from lightwork.work.service import Worker
from work.jobs import TASKS, note, submit, wait_for


class AwayStore:
    """A store that is out of reach for those that begin, so often."""

    def __init__(self, store: Store, often: float, then: Callable[[], object]) -> None:
        self._store = store
        self._left = often
        self._then = then

    def register(self, *args: Any, **options: Any) -> None:
        if self._left:
            self._left -= 1
            self._then()
            raise StoreUnavailable("it is restarted just now")
        self._store.register(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def away(store: Store, often: float, then: Callable[[], object] = lambda: None) -> Any:
    return AwayStore(store, often, then)


def test_a_worker_waits_for_a_store_that_is_restarted_before_it_is_known_there(
    store: Store,
) -> None:
    job_id = submit(store, note, 7)
    worker = Worker(away(store, 2), executor="threads:1", tasks=TASKS)

    worker.start()

    wait_for(store, job_id, State.SUCCEEDED)
    worker.stop()
    worker.join()


def test_a_signal_ends_a_worker_that_has_not_begun(store: Store) -> None:
    asked = threading.Event()
    worker = Worker(away(store, float("inf"), asked.set), executor="threads:1", tasks=TASKS)

    def tell() -> None:
        assert asked.wait(20)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=tell)
    thread.start()
    began = time.monotonic()
    worker.run()
    thread.join()

    assert time.monotonic() - began < 15
    assert store.workers() == []
