"""Many at once on the same jobs: nobody fails, nothing is lost, and the counts are right."""

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import NullPool, create_engine

from lightwork.lifecycle import AttemptEnd, Failed, Released, Retried, Succeeded
from lightwork.model import Attempt, State
from lightwork.net.opening import open_store
from lightwork.store.contract import Store
from net.served import database_url
from store.steps import (
    ERROR,
    LANES,
    begin_one,
    claim_one,
    end_lease,
    execute,
    new_job,
    registered,
    state_of,
    submitted,
    view_of,
)

ENDS: list[AttemptEnd] = [Succeeded(b""), Failed(ERROR), Retried(ERROR, 0.001), Released()]
SECONDS = 2.0
JOBS = 60


@pytest.fixture
def other(store: Store) -> Iterator[Store]:
    """The same store as another program has it open."""
    opened = open_store(store.url)
    yield opened
    opened.close()


class Crowd:
    """Threads that do something until the time is up; what one of them raises is kept."""

    def __init__(self) -> None:
        self._until = time.monotonic() + SECONDS
        self._threads: list[threading.Thread] = []
        self.raised: list[BaseException] = []
        self.turns: Counter[str] = Counter()

    def go(self, name: str, act: Callable[[], object]) -> None:
        def run() -> None:
            try:
                while time.monotonic() < self._until:
                    act()
                    self.turns[name] += 1
            except BaseException as error:
                self.raised.append(error)

        thread = threading.Thread(target=run)
        self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        for thread in self._threads:
            thread.join()


class Hand:
    """A worker that claims, and ends what it has claimed in some way."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._id = registered(store)
        # How often each attempt was handed out, by anybody.
        self.taken: list[tuple[uuid.UUID, int]] = []

    def turn(self) -> None:
        claimed = self._store.claim(self._id, lanes=LANES, limit=2, ahead=3)
        self.taken += [(attempt.job_id, attempt.number) for attempt in claimed]
        self._store.ack(self._id, [], begun=claimed[:1])
        ends = [(attempt, self._end(attempt)) for attempt in claimed]
        random.shuffle(ends)
        self._store.ack(self._id, ends)

    def _end(self, _attempt: Attempt) -> AttemptEnd:
        return random.choice(ENDS)


def test_a_crowd_of_submitters_workers_and_pruners_disturbs_nobody(
    store: Store, other: Store
) -> None:
    ids = [submitted(store) for _ in range(JOBS)]
    hands = [Hand(one) for one in (store, other, store)]
    crowd = Crowd()

    def some() -> list[uuid.UUID]:
        # Not in the order of their numbers: whoever locks as it is told deadlocks.
        return random.sample(ids, 10)

    for hand in hands:
        crowd.go("work", hand.turn)
    for one in (store, other):
        crowd.go("cancel", lambda one=one: one.cancel(some()))  # type: ignore[misc]
        crowd.go("retry", lambda one=one: one.retry(some()))  # type: ignore[misc]
        crowd.go("prune", lambda one=one: one.prune(older_than=0.0, limit=3))  # type: ignore[misc]
        crowd.go("promote", one.promote)
        crowd.go("rescue", one.rescue)
        crowd.go("submit", lambda one=one: one.submit([new_job() for _ in range(3)]))  # type: ignore[misc]
    crowd.wait()

    assert crowd.raised == []
    assert len(crowd.turns) == 7
    taken = Counter(one for hand in hands for one in hand.taken)
    # No attempt of a job was given away twice.
    assert [one for one, times in taken.items() if times > 1] == []
    assert store.check() == []


def test_a_lease_is_renewed_and_jobs_end_beside_a_large_submit(store: Store) -> None:
    """As long as somebody else's transaction takes, which does not hold SQLite's lock here."""
    if database_url(store).startswith("sqlite"):
        pytest.skip("one program writes at a time: tests/store/sqlite/test_worker_file.py")
    worker = registered(store)
    before = submitted(store)
    with create_engine(database_url(store), poolclass=NullPool).begin() as connection:
        store.submit_on(connection, [new_job() for _ in range(500)])

        assert store.renew(worker, lease=60)
        assert store.ack(worker, [(claim_one(store, worker), Succeeded(b""))]) == []
        assert state_of(store, before) == State.SUCCEEDED
        assert store.rescue() == []
        assert store.cancel([submitted(store)]) != {}

    assert store.summary().states[State.READY] == 500


# Beyond 32 bits.
FAR = 3_000_000_000
COUNT_FROM = {
    "sqlite": f"UPDATE sqlite_sequence SET seq = {FAR} WHERE name = 'job'",
    "postgresql": f"ALTER SEQUENCE job_seq_seq RESTART WITH {FAR}",
    "mariadb": f"ALTER TABLE job AUTO_INCREMENT = {FAR}",
}


def test_jobs_beyond_the_numbers_of_32_bits_live_like_any_other(store: Store) -> None:
    store.cancel([submitted(store)])
    execute(store, COUNT_FROM[database_url(store).partition(":")[0].partition("+")[0]])
    failed, done, lost = (submitted(store, max_crashes=1) for _ in range(3))
    worker, dead = registered(store), registered(store)

    assert store.ack(worker, [(begin_one(store, worker), Failed(ERROR))]) == []
    assert store.ack(worker, [(claim_one(store, worker), Succeeded(b""))]) == []
    begin_one(store, dead)
    end_lease(store, dead)
    store.rescue()
    store.retry([failed])

    assert view_of(store, failed).seq >= FAR
    assert [state_of(store, one) for one in (failed, done, lost)] == [
        State.READY,
        State.SUCCEEDED,
        State.FAILED,
    ]
    assert store.prune(older_than=-1.0) == 3
    assert store.check() == []
