"""Answers that are lost on their way: what the server has done counts, and nothing is done twice."""

from collections.abc import Callable, Iterator

import pytest

from lightwork.errors import StoreUnavailable
from lightwork.lifecycle import Succeeded
from lightwork.model import State
from lightwork.store.sqlstore import SqlStore
from store.proxy import Proxy, is_commit, proxy
from store.steps import (
    LANES,
    begin_one,
    claim_one,
    end_lease,
    new_job,
    registered,
    state_of,
    submitted,
    view_of,
)


@pytest.fixture(params=["postgresql", "mariadb"])
def between(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    with proxy(request.getfixturevalue(f"{request.param}_url")) as made:
        yield made


@pytest.fixture
def store(between: Proxy) -> Iterator[SqlStore]:
    with SqlStore(between.url) as opened:
        # Connected: a new connection to MariaDB begins with a COMMIT.
        opened.promote()
        opened.cancel([submitted(opened)])
        yield opened


def lose_next_commit(between: Proxy) -> None:
    """The next commit takes place, and its answer is lost."""
    left = [True]

    def is_meant(sent: bytes) -> bool:
        # PostgreSQL claims by a statement that is its own transaction, and ends a lone job by such a message.
        is_alone = b"WITH next" in sent or b"READ COMMITTED; SELECT" in sent
        return bool((is_commit(sent) or is_alone) and left and left.pop())

    between.loses_answer_to = is_meant


def test_jobs_whose_acknowledgement_was_lost_are_kept_once(store: SqlStore, between: Proxy) -> None:
    jobs = [new_job(tags=("no plain job",)) for _ in range(3)]
    lose_next_commit(between)

    with pytest.raises(StoreUnavailable, match="submit again with the same ids"):
        store.submit(jobs)

    assert store.submit(jobs) == [False] * 3
    assert store.summary().states[State.READY] == 3
    assert store.check() == []


def test_a_claim_whose_answer_was_lost_is_given_back(store: SqlStore, between: Proxy) -> None:
    job_id = submitted(store)
    worker = registered(store)
    lose_next_commit(between)
    with pytest.raises(StoreUnavailable, match="may have taken place"):
        store.claim(worker, lanes=LANES, limit=1)

    assert state_of(store, job_id) == State.RUNNING
    assert store.release_others(worker, held=[]) == 1

    attempt = claim_one(store, worker)
    view = view_of(store, job_id)
    assert (attempt.number, view.crashes, view.losses) == (2, 0, 0)


def test_an_ack_whose_answer_was_lost_is_refused_when_it_comes_again(
    store: SqlStore, between: Proxy
) -> None:
    job_id = submitted(store)
    worker = registered(store)
    attempt = begin_one(store, worker)
    lose_next_commit(between)
    with pytest.raises(StoreUnavailable, match="may have taken place"):
        store.ack(worker, [(attempt, Succeeded(b"first"))])

    refused = store.ack(worker, [(attempt, Succeeded(b"second"))])

    assert refused == [attempt]
    assert store.outcomes([job_id])[job_id].result == b"first"
    assert store.check() == []


def test_a_lease_whose_renewal_was_lost_lives_on(store: SqlStore, between: Proxy) -> None:
    worker = registered(store, lease=60.0)
    lose_next_commit(between)
    with pytest.raises(StoreUnavailable):
        store.renew(worker, lease=60.0)

    assert store.renew(worker, lease=60.0)


@pytest.mark.parametrize("call", ["rescue", "promote", "prune", "sign_off", "cancel", "retry"])
def test_upkeep_and_control_may_be_done_again_when_their_answer_was_lost(
    store: SqlStore, between: Proxy, call: str
) -> None:
    running, dead = submitted(store), registered(store)
    begin_one(store, dead)
    cancelled, scheduled = submitted(store), submitted(store, delay=0.001)
    store.cancel([cancelled])
    if call == "rescue":
        end_lease(store, dead)
    calls: dict[str, Callable[[], object]] = {
        "rescue": store.rescue,
        "promote": store.promote,
        "prune": lambda: store.prune(older_than=0.0),
        "sign_off": lambda: store.sign_off(dead),
        "cancel": lambda: store.cancel([running, scheduled]),
        "retry": lambda: store.retry([cancelled]),
    }
    lose_next_commit(between)

    with pytest.raises(StoreUnavailable):
        calls[call]()
    calls[call]()

    assert store.check() == []
    # Each was done, and once.
    view = view_of(store, running)
    assert (view.attempt, view.crashes) == (1, int(call == "rescue"))


def test_a_connection_that_is_cut_before_the_commit_is_tried_again(
    store: SqlStore, between: Proxy
) -> None:
    job = new_job()
    submitted(store)
    between.cut()

    assert store.submit([job]) == [True]

    left = [True]
    between.loses_answer_to = lambda sent: bool(b"INSERT" in sent and left and left.pop())
    other = new_job(tags=("no plain job",))
    assert store.submit([other]) == [True]
    assert state_of(store, other.id) == State.READY


def test_a_slow_line_changes_nothing_but_the_time(store: SqlStore, between: Proxy) -> None:
    between.delay = 0.05

    job_id = submitted(store)
    worker = registered(store)
    assert store.ack(worker, [(claim_one(store, worker), Succeeded(b""))]) == []

    assert state_of(store, job_id) == State.SUCCEEDED
