"""Lease: the window in which a worker may act, without a database and without sleeping long."""

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from lightwork.clock import monotonic
from lightwork.errors import StoreUnavailable
from lightwork.store.contract import Store
from lightwork.work.lease import MARGIN, Lease, trusted_until
from waiting import wait_until

WORKER = uuid.uuid4()


class Renewals:
    """Passes as a store for renew; each answer is what `answer` does."""

    def __init__(self, answer: Callable[[], bool]) -> None:
        self.answer = answer
        self.count = 0
        # When what was renewed by the way had been sent; None: nothing is.
        self.sent_at: float | None = None

    def renew(self, worker_id: uuid.UUID, *, lease: float) -> bool:
        assert worker_id == WORKER
        self.count += 1
        return self.answer()

    def renewed_by_waiting(self, worker_id: uuid.UUID, *, lease: float) -> float | None:
        assert worker_id == WORKER
        assert lease > 0
        return self.sent_at


class Watched:
    """A lease with what it did."""

    def __init__(self, answer: Callable[[], bool], ttl: float) -> None:
        self.renewals = Renewals(answer)
        self.lost = threading.Event()
        self.losses = 0
        self.lease = Lease(cast("Store", self.renewals), WORKER, ttl, on_lost=self._note)

    def _note(self) -> None:
        self.losses += 1
        self.lost.set()


@pytest.fixture
def make() -> Iterator[Callable[..., Watched]]:
    made: list[Watched] = []

    def watched(answer: Callable[[], bool], *, ttl: float = 0.3) -> Watched:
        made.append(Watched(answer, ttl))
        return made[-1]

    yield watched
    for one in made:
        one.lease.give_up()


def unavailable() -> bool:
    raise StoreUnavailable("out of reach")


def test_the_window_counts_from_the_sending_and_keeps_a_margin() -> None:
    assert trusted_until(100.0, 10.0) == 100.0 + 10.0 * (1 - MARGIN)


def test_a_lease_that_was_never_granted_is_not_trusted(make: Callable[..., Watched]) -> None:
    assert not make(lambda: True).lease.is_trusted()


def test_a_granted_lease_is_trusted(make: Callable[..., Watched]) -> None:
    watched = make(lambda: True, ttl=60.0)

    watched.lease.start(monotonic())

    assert watched.lease.is_trusted()


def test_a_lease_whose_request_was_sent_too_long_ago_is_not_trusted(
    make: Callable[..., Watched],
) -> None:
    watched = make(lambda: True, ttl=60.0)

    watched.lease.start(monotonic() - 50.0)

    assert not watched.lease.is_trusted()
    assert watched.lost.wait(20)


def test_renewals_keep_a_lease_beyond_its_first_window(make: Callable[..., Watched]) -> None:
    # On a busy machine a thread may be late by half a second.
    watched = make(lambda: True, ttl=2.0)

    watched.lease.start(monotonic())
    wait_until(lambda: watched.renewals.count >= 6, "six renewals")

    assert watched.lease.is_trusted()
    assert watched.losses == 0


def test_a_refused_renewal_loses_the_lease_once(make: Callable[..., Watched]) -> None:
    watched = make(lambda: False)

    watched.lease.start(monotonic())

    assert watched.lost.wait(20)
    watched.lease.stop()
    assert not watched.lease.is_trusted()
    assert (watched.renewals.count, watched.losses) == (1, 1)


def test_a_store_out_of_reach_is_asked_again_until_the_window_ends(
    make: Callable[..., Watched],
) -> None:
    watched = make(unavailable)
    sent_at = monotonic()

    watched.lease.start(sent_at)

    assert watched.lost.wait(20)
    assert monotonic() >= trusted_until(sent_at, 0.3)
    assert watched.renewals.count > 1


def test_a_store_that_comes_back_in_time_costs_nothing(make: Callable[..., Watched]) -> None:
    failures = iter([StoreUnavailable("out of reach")] * 2)

    def answer() -> bool:
        for failure in failures:
            raise failure
        return True

    watched = make(answer, ttl=1.0)

    watched.lease.start(monotonic())
    wait_until(lambda: watched.renewals.count >= 4, "renewals after the failed ones")

    assert watched.lease.is_trusted()


def test_a_store_that_hangs_does_not_hold_up_the_loss(make: Callable[..., Watched]) -> None:
    released = threading.Event()
    watched = make(lambda: released.wait(20))

    watched.lease.start(monotonic())

    assert watched.lost.wait(10)
    assert not released.is_set()
    released.set()


def test_a_lease_that_was_given_up_is_not_reported_lost(make: Callable[..., Watched]) -> None:
    watched = make(lambda: True)
    watched.lease.start(monotonic())

    watched.lease.stop()
    wait_until(lambda: not watched.lease.is_trusted(), "the end of the window")

    assert watched.losses == 0


def test_stop_may_come_before_start_and_twice(make: Callable[..., Watched]) -> None:
    watched = make(lambda: True)

    watched.lease.stop()
    watched.lease.stop()

    assert not watched.lease.is_trusted()


@pytest.fixture
def resting() -> Iterator[Callable[..., tuple[Lease, Renewals, threading.Event]]]:
    made: list[Lease] = []

    def rest(answer: Callable[[], bool], *, ttl: float) -> tuple[Lease, Renewals, threading.Event]:
        store, lost = Renewals(answer), threading.Event()
        store.sent_at = float("-inf")
        lease = Lease(cast("Store", store), WORKER, ttl, on_lost=lost.set)
        made.append(lease)
        lease.rest()
        lease.start(monotonic())
        lease._due.set()
        wait_until(lambda: lease._is_resting, "it rests")
        return lease, store, lost

    yield rest
    for one in made:
        one.stop()


Resting = Callable[..., tuple[Lease, Renewals, threading.Event]]


def test_who_rests_sends_no_heartbeats_and_outlives_the_window(resting: Resting) -> None:
    lease, store, lost = resting(lambda: False, ttl=0.2)

    wait_until(lambda: monotonic() > lease._trusted_until + 0.2, "the window is over for long")

    assert (store.count, lost.is_set(), lease.is_trusted()) == (0, False, True)


def test_who_works_after_a_rest_renews_first_where_the_window_is_over(resting: Resting) -> None:
    lease, store, _ = resting(lambda: True, ttl=0.2)
    wait_until(lambda: monotonic() > lease._trusted_until, "the window is over")

    assert lease.work()
    assert store.count >= 1
    assert lease._trusted_until > monotonic() - 0.2


def test_who_works_inside_of_the_window_of_the_last_poll_renews_by_the_way(
    resting: Resting,
) -> None:
    lease, store, _ = resting(lambda: True, ttl=60.0)
    store.sent_at = sent_at = monotonic()

    assert lease.work()
    assert lease._trusted_until == trusted_until(sent_at, 60.0)
    # In its own thread, and at once: the window is as old as the poll.
    wait_until(lambda: store.count == 1, "the heartbeat goes on")


def test_who_works_after_a_rest_in_which_the_lease_was_lost_hears_it(resting: Resting) -> None:
    lease, _, lost = resting(lambda: False, ttl=0.2)
    wait_until(lambda: monotonic() > lease._trusted_until, "the window is over")

    assert not lease.work()
    assert lost.is_set()
    assert not lease.is_trusted()


def test_who_works_while_the_store_is_away_is_told_at_once(resting: Resting) -> None:
    lease, _, lost = resting(unavailable, ttl=0.2)
    wait_until(lambda: monotonic() > lease._trusted_until, "the window is over")

    with pytest.raises(StoreUnavailable):
        lease.work()
    assert not lost.is_set()


def test_who_rests_and_is_renewed_no_more_renews_by_itself(resting: Resting) -> None:
    lease, store, lost = resting(lambda: True, ttl=0.2)

    store.sent_at = None

    wait_until(lambda: store.count >= 2, "heartbeats go on")
    assert not lease._is_resting
    assert not lost.is_set()


def test_a_window_that_ends_while_it_works_after_a_rest_is_an_end(resting: Resting) -> None:
    lease, store, lost = resting(lambda: True, ttl=0.2)
    wait_until(lambda: monotonic() > lease._trusted_until, "the window is over")
    assert lease.work()
    store.answer = unavailable

    assert lost.wait(10)
    assert not lease.is_trusted()
