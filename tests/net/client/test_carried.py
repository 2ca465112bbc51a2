"""Leases of workers that have nothing to do are renewed by their polls."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from lightwork.clock import monotonic
from lightwork.errors import StoreUnavailable, UsageError
from lightwork.model import DEFAULT_QUEUE
from lightwork.net.client import carried as carried_module
from lightwork.net.client.carried import Carried, longest_wait
from lightwork.net.client.client import ServerStore
from lightwork.net.server.app import App
from lightwork.net.wire.about import LONGEST_WAIT, Poll, Polled
from lightwork.store.contract import Store
from net.served import served
from store.steps import new_job, registered
from waiting import wait_until

WORKER, OTHER = uuid.uuid4(), uuid.uuid4()
LEASE = 15.0


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [100.0]
    monkeypatch.setattr(carried_module, "monotonic", lambda: clock[0])
    return clock


@pytest.fixture
def client(database: Store) -> Iterator[ServerStore]:
    app = App(database, does_upkeep=True)
    with served(app) as url, closing(ServerStore(url)) as store:
        yield store


@contextmanager
def waiting(client: ServerStore) -> Iterator[None]:
    """A worker waits for jobs."""
    over = threading.Event()

    def watch() -> None:
        seen = -1
        while not over.is_set():
            seen = client.wait_for_change(seen, 0.05, queues=(DEFAULT_QUEUE,))

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    over.set()
    thread.join(30)


def test_the_first_renewal_is_the_workers_own(now: list[float]) -> None:
    carried = Carried()

    assert carried.ask(WORKER, LEASE) is None
    assert carried.begin([WORKER]) == LEASE
    assert carried.ask(WORKER, LEASE) == float("-inf")


def test_what_was_renewed_counts_from_when_the_poll_was_sent(now: list[float]) -> None:
    carried = Carried()
    carried.ask(WORKER, LEASE)
    carried.begin([WORKER])
    now[0] += 10

    carried.end(100.0, [WORKER], [])

    assert carried.ask(WORKER, LEASE) == 100.0


def test_an_answer_that_says_nothing_of_a_lease_has_renewed_none(now: list[float]) -> None:
    carried = Carried()
    carried.ask(WORKER, LEASE)
    carried.begin([WORKER])

    carried.end(100.0, [], [])

    assert carried.ask(WORKER, LEASE) == float("-inf")


@pytest.mark.parametrize("how", ["failed", "lost", "overdue", "silent", "forgotten"])
def test_what_is_carried_no_more_the_worker_renews(now: list[float], how: str) -> None:
    carried = Carried()
    carried.ask(WORKER, LEASE)
    carried.begin([WORKER])
    match how:
        case "failed":
            carried.fail()
        case "lost":
            carried.end(100.0, [], [WORKER])
        case "overdue":
            now[0] += longest_wait(LEASE) + 1.1
        case "silent":
            carried.end(100.0, [WORKER], [])
            now[0] += 1.1
        case "forgotten":
            # It has not asked for as long as a lease: it works.
            now[0] += LEASE
            carried.begin([WORKER])

    assert carried.ask(WORKER, LEASE) is None


def test_two_workers_of_one_program_are_carried_if_both_rest_with_one_lease() -> None:
    carried = Carried()
    carried.ask(WORKER, LEASE)

    one = carried.begin([WORKER, OTHER])
    carried.ask(OTHER, LEASE)
    both = carried.begin([WORKER, OTHER])
    carried.ask(OTHER, 2 * LEASE)
    other = carried.begin([WORKER, OTHER])

    assert (one, both, other) == (0.0, LEASE, 0.0)


def test_short_leases_are_not_carried() -> None:
    assert Carried().ask(WORKER, 1.0) is None


@pytest.mark.parametrize("lease", [6.0, 15.0, 30.0, 3600.0])
def test_a_poll_comes_again_while_the_lease_holds(lease: float) -> None:
    assert longest_wait(lease) <= min(LONGEST_WAIT, lease * 0.7)


def test_a_worker_that_waits_is_renewed_and_hears_when_it_is_declared_dead(
    client: ServerStore, database: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Polls come again soon.
    monkeypatch.setattr(carried_module, "PART_OF_LEASE", 0.03)
    worker = registered(client, lease=LEASE)

    def sent_at() -> float | None:
        return client.renewed_by_waiting(worker, lease=LEASE)

    began = monotonic()
    assert sent_at() is None
    with waiting(client):
        wait_until(lambda: (sent_at() or 0.0) >= began, "its polls renew, and it hears of it")
        database.sign_off(worker)
        wait_until(lambda: sent_at() is None, "it hears that its lease is over")

    assert not client.renew(worker, lease=LEASE)


def test_a_server_of_an_earlier_release_is_asked_as_it_knows_it(
    client: ServerStore, database: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = client.calls.about
    asked: list[Poll] = []
    poll = client.calls.poll

    def noted(one: Poll) -> Polled:
        asked.append(one)
        return poll(one)

    monkeypatch.setattr(client.calls, "poll", noted)
    client.calls.about = type(about)(
        about.server, about.store, about.largest_value, about.version, does_upkeep=True
    )
    registered(client)

    seen = client.wait_for_change(-1, 10, queues=(DEFAULT_QUEUE,))
    database.submit([new_job()])
    client.wait_for_change(seen, 10, queues=(DEFAULT_QUEUE,))

    assert asked
    assert not any(one.queues or one.lease for one in asked)


def test_a_server_that_was_replaced_by_an_earlier_release_is_asked_what_it_is(
    client: ServerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Poll) -> None:
        raise UsageError("Object contains unknown field `queues`")

    monkeypatch.setattr(client.calls, "poll", refuse)

    with pytest.raises(StoreUnavailable, match="another release"):
        client._poll(Poll("", None, 20.0, [], [DEFAULT_QUEUE]))
    assert client.calls._is_other
