"""Who hears of a change of the store, and when."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import pytest

from lightwork.clock import monotonic
from lightwork.store.contract import Store
from lightwork.work import wakeup
from lightwork.work.wakeup import StoreWatch
from waiting import wait_until


class Changing:
    """A store of which nothing is seen but its changes."""

    def __init__(self) -> None:
        self.number = 0
        self.changed = threading.Condition()

    def wait_for_change(self, seen: int, timeout: float, *, queues: Sequence[str]) -> int:
        with self.changed:
            self.changed.wait_for(lambda: self.number != seen, timeout)
            return self.number

    def change(self) -> None:
        with self.changed:
            self.number += 1
            self.changed.notify_all()


@contextmanager
def watched(store: Changing) -> Iterator[tuple[StoreWatch, list[float]]]:
    """Watch it; the block is given when it was woken."""
    woken: list[float] = []
    watch = StoreWatch(cast("Store", store), lambda: woken.append(monotonic()), ["default"])
    watch.start()
    try:
        wait_until(lambda: len(woken) == 1, "the first look")
        yield watch, woken
    finally:
        watch.stop()


def test_who_has_lost_a_race_for_a_job_lets_others_go_first_until_it_has_got_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wakeup, "_COURTESY_SECONDS", 0.4)
    store = Changing()
    with watched(store) as (watch, woken):
        watch.note_race(is_lost=True)
        changed_at = monotonic()
        store.change()
        wait_until(lambda: len(woken) == 2, "the change")
        assert woken[1] - changed_at >= 0.3

        watch.note_race(is_lost=False)
        monkeypatch.setattr(wakeup, "_COURTESY_SECONDS", 3600.0)
        store.change()
        wait_until(lambda: len(woken) == 3, "the next change")


def test_who_lets_others_go_first_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakeup, "_COURTESY_SECONDS", 3600.0)
    store = Changing()
    with watched(store) as (watch, woken):
        watch.note_race(is_lost=True)
        store.change()
        wait_until(lambda: store.number == 1, "the change")

    assert len(woken) <= 2
