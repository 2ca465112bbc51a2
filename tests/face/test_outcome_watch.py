"""OutcomeWatch: every outcome reaches each who waits for it, once, however the news comes."""

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import pytest

from face.jobs import square
from lightwork.clock import monotonic
from lightwork.durable.executor import DurableExecutor
from lightwork.durable.outcome_watch import OutcomeWatch
from lightwork.errors import JobNotFound, StoreError, StoreUnavailable
from lightwork.model import JobOutcome, State
from lightwork.store.contract import Store
from waiting import wait_until


class Outcomes:
    """Passes as a store that has outcomes and says when it changes."""

    def __init__(self) -> None:
        self.known: dict[uuid.UUID, JobOutcome] = {}
        self.pruned: set[uuid.UUID] = set()
        self.safe_url = "store"
        self.failures = 0
        self.loss: StoreError | None = None
        self.looks = 0
        self.waits = 0
        self._changes = 0
        self._changed = threading.Condition()

    def add(self, *job_ids: uuid.UUID) -> None:
        with self._changed:
            self.known |= {job_id: outcome(job_id) for job_id in job_ids}
            self.looks = self.waits = 0
            self._changes += 1
            self._changed.notify_all()

    def add_silently(self, job_id: uuid.UUID) -> None:
        self.known[job_id] = outcome(job_id)

    def outcomes(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, JobOutcome]:
        self.looks += 1
        if self.loss is not None:
            raise self.loss
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("out of reach")
        return {job_id: self.known[job_id] for job_id in job_ids if job_id in self.known}

    def states(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, State]:
        return {job_id: State.READY for job_id in job_ids if job_id not in self.pruned}

    def wait_for_change(self, seen: int, timeout: float, *, but_submits: bool) -> int:
        assert but_submits
        with self._changed:
            self.waits += 1
            self._changed.wait_for(lambda: self._changes != seen, timeout)
            return self._changes


def outcome(job_id: uuid.UUID) -> JobOutcome:
    return JobOutcome(job_id=job_id, state=State.SUCCEEDED, attempt=1)


class Heard:
    """Remembers what was delivered."""

    def __init__(self) -> None:
        self.all: list[JobOutcome | BaseException] = []
        self.came = threading.Event()

    def __call__(self, what: JobOutcome | BaseException) -> None:
        self.all.append(what)
        self.came.set()


@pytest.fixture
def store() -> Outcomes:
    return Outcomes()


@pytest.fixture
def watch(store: Outcomes) -> Iterator[OutcomeWatch]:
    made = OutcomeWatch(cast("Store", store))
    yield made
    made.close()


@pytest.fixture
def job() -> uuid.UUID:
    return uuid.uuid4()


def test_a_change_of_the_store_brings_the_outcome(
    store: Outcomes, watch: OutcomeWatch, job: uuid.UUID
) -> None:
    heard = Heard()
    watch.wait_for(job, heard)

    store.add(job)

    assert heard.came.wait(20)
    assert heard.all == [outcome(job)]


def test_an_outcome_without_a_sign_of_change_comes_all_the_same(
    store: Outcomes, watch: OutcomeWatch, job: uuid.UUID
) -> None:
    heard = Heard()
    watch.wait_for(job, heard)
    wait_until(lambda: store.looks >= 2, "a look before there is an outcome")

    store.add_silently(job)

    assert heard.came.wait(20)


def test_an_outcome_that_was_there_before_comes_on_request(
    store: Outcomes, watch: OutcomeWatch, job: uuid.UUID
) -> None:
    other, heard = uuid.uuid4(), Heard()
    watch.wait_for(other, Heard())
    store.add_silently(job)

    watch.wait_for(job, heard)
    watch.look_now()

    # Far sooner than the second after which it would look anyway.
    assert heard.came.wait(0.9)


def test_what_a_worker_here_tells_is_delivered_at_once(watch: OutcomeWatch, job: uuid.UUID) -> None:
    heard = Heard()
    watch.wait_for(job, heard)

    watch.deliver([outcome(job)], mark=watch.mark())

    assert heard.all == [outcome(job)]


def test_an_outcome_told_twice_is_delivered_once(
    store: Outcomes, watch: OutcomeWatch, job: uuid.UUID
) -> None:
    heard = Heard()
    watch.wait_for(job, heard)

    watch.deliver([outcome(job), outcome(job)], mark=watch.mark())
    store.add(job)
    watch.deliver([outcome(job)], mark=watch.mark())

    assert len(heard.all) == 1


def test_late_news_is_not_for_those_who_began_to_wait_after_it(
    store: Outcomes, watch: OutcomeWatch, job: uuid.UUID
) -> None:
    first, second = Heard(), Heard()
    watch.wait_for(job, first)
    mark = watch.mark()
    failed = JobOutcome(job_id=job, state=State.FAILED, attempt=1)
    # It is retried, and waited for again, before the news is there.
    watch.wait_for(job, second)

    watch.deliver([failed], mark=mark)
    watch.tell([failed], mark=mark)
    store.add_silently(job)

    assert first.all == [failed]
    assert second.came.wait(20)
    assert second.all == [outcome(job)]


def test_what_late_news_was_about_is_looked_up_at_once(
    store: Outcomes, watch: OutcomeWatch, job: uuid.UUID
) -> None:
    mark, heard = watch.mark(), Heard()
    for other in [uuid.uuid4() for _ in range(2000)]:
        watch.wait_for(other, Heard())
    watch.wait_for(job, heard)
    store.add_silently(job)

    watch.deliver([outcome(job)], mark=mark)

    # Far sooner than its turn among so many.
    assert heard.came.wait(0.9)


def test_two_who_wait_for_one_job_both_hear(watch: OutcomeWatch, job: uuid.UUID) -> None:
    first, second = Heard(), Heard()
    watch.wait_for(job, first)
    watch.wait_for(job, second)

    watch.deliver([outcome(job)], mark=watch.mark())

    assert first.all == second.all == [outcome(job)]


def test_one_who_fails_at_the_news_keeps_it_from_nobody(watch: OutcomeWatch) -> None:
    def leave(_: object) -> None:
        raise SystemExit

    bad, good, heard = uuid.uuid4(), uuid.uuid4(), Heard()
    watch.wait_for(bad, leave)
    watch.wait_for(good, heard)

    watch.deliver([outcome(bad), outcome(good)], mark=watch.mark())

    assert heard.all == [outcome(good)]


def test_forgetting_one_of_two_leaves_the_other(watch: OutcomeWatch, job: uuid.UUID) -> None:
    first, second = Heard(), Heard()
    watch.wait_for(job, first)
    watch.wait_for(job, second)

    watch.forget([job])
    watch.deliver([outcome(job)], mark=watch.mark())

    assert (len(first.all), len(second.all)) == (1, 0)


def test_a_store_out_of_reach_only_delays(
    store: Outcomes, watch: OutcomeWatch, job: uuid.UUID
) -> None:
    heard = Heard()
    store.failures = 1

    watch.wait_for(job, heard)
    store.add(job)

    assert heard.came.wait(20)


def test_a_store_that_is_lost_ends_every_wait(
    store: Outcomes, watch: OutcomeWatch, job: uuid.UUID
) -> None:
    heard, later, loss = Heard(), Heard(), StoreError("deleted")
    store.loss = loss

    watch.wait_for(job, heard)
    assert heard.came.wait(20)
    store.loss = None
    watch.wait_for(job, later)
    store.add(job)

    assert heard.all == [loss]
    # Nobody else suffers for it.
    assert later.came.wait(20)
    assert later.all == [outcome(job)]


def test_more_than_can_be_looked_up_at_once_all_come(store: Outcomes, watch: OutcomeWatch) -> None:
    jobs = [uuid.uuid4() for _ in range(2500)]
    heard = Heard()
    for job in jobs:
        watch.wait_for(job, heard)

    # The last first: those at the front must not keep the others waiting.
    for job in reversed(jobs):
        store.add_silently(job)
    store.add()

    wait_until(lambda: len(heard.all) == len(jobs), "all outcomes")


def test_behind_many_who_wait_no_other_change_is_needed(
    store: Outcomes, watch: OutcomeWatch
) -> None:
    jobs = [uuid.uuid4() for _ in range(20_000)]
    for job in jobs:
        watch.wait_for(job, Heard())
    waits: list[int] = []
    watch.wait_for(jobs[10_000], lambda _: waits.append(store.waits))

    store.add(jobs[10_000])

    wait_until(lambda: bool(waits), "the outcome")
    # Perhaps once, to hear of this change.
    assert waits[0] <= 1


def test_the_latest_is_looked_up_first_though_many_wait(
    store: Outcomes, watch: OutcomeWatch
) -> None:
    for _ in range(20_000):
        watch.wait_for(uuid.uuid4(), Heard())
    looks: list[int] = []
    latest = uuid.uuid4()
    watch.wait_for(latest, lambda _: looks.append(store.looks))
    wait_until(lambda: store.waits > 1, "nothing is left to look up")

    store.add(latest)

    wait_until(lambda: bool(looks), "the outcome")
    # Perhaps one was under way, without this change.
    assert looks[0] <= 2


def test_a_failure_reaches_all_who_wait_and_all_who_come_later(watch: OutcomeWatch) -> None:
    before, after, failure = Heard(), Heard(), OSError("gone")
    watch.wait_for(uuid.uuid4(), before)

    watch.fail(failure)
    watch.wait_for(uuid.uuid4(), after)

    assert before.all == after.all == [failure]


def joined(watch: OutcomeWatch, apart_from: set[uuid.UUID]) -> Callable[[], bool]:
    thread = threading.Thread(target=lambda: watch.join(apart_from=apart_from), daemon=True)
    thread.start()
    return lambda: not thread.is_alive()


def test_join_returns_when_the_last_outcome_is_there(watch: OutcomeWatch) -> None:
    jobs = [uuid.uuid4(), uuid.uuid4()]
    for job in jobs:
        watch.wait_for(job, Heard())
    is_joined = joined(watch, set())

    watch.deliver([outcome(jobs[0])], mark=watch.mark())
    was_joined = is_joined()
    watch.deliver([outcome(jobs[1])], mark=watch.mark())

    wait_until(is_joined, "the end of join")
    assert not was_joined


def test_join_does_not_wait_for_what_runs_elsewhere(watch: OutcomeWatch, job: uuid.UUID) -> None:
    watch.wait_for(job, Heard())

    wait_until(joined(watch, {job}), "the end of join")


def test_join_returns_after_a_failure(watch: OutcomeWatch, job: uuid.UUID) -> None:
    watch.wait_for(job, Heard())
    is_joined = joined(watch, set())

    watch.fail(OSError("gone"))

    wait_until(is_joined, "the end of join")


def test_close_says_what_did_not_come_and_may_be_called_twice(
    watch: OutcomeWatch, job: uuid.UUID
) -> None:
    watch.wait_for(job, Heard())

    assert watch.close() == [job]
    assert watch.close() == []


def test_nothing_is_looked_up_while_nobody_waits(
    store: Outcomes, watch: OutcomeWatch, job: uuid.UUID
) -> None:
    heard = Heard()
    watch.wait_for(job, heard)
    store.add(job)
    heard.came.wait(20)
    looks = store.looks

    for _ in range(20):
        store.add()

    assert store.looks <= looks + 1


def test_a_job_that_is_gone_ends_the_wait_for_it(store: Outcomes, watch: OutcomeWatch) -> None:
    gone, there, heard, silent = uuid.uuid4(), uuid.uuid4(), Heard(), Heard()
    watch.wait_for(gone, heard)
    watch.wait_for(there, silent)

    store.pruned.add(gone)

    assert heard.came.wait(20)
    (error,) = heard.all
    assert isinstance(error, JobNotFound)
    assert error.job_id == str(gone)
    assert (silent.all, watch.waiting()) == ([], [there])


def test_a_job_that_is_just_being_kept_is_not_missed(store: Outcomes, watch: OutcomeWatch) -> None:
    job_id, other, heard, heard_other = uuid.uuid4(), uuid.uuid4(), Heard(), Heard()
    store.pruned |= {job_id, other}
    with watch.submitting([job_id]):
        watch.wait_for(job_id, heard)
        watch.wait_for(other, heard_other)
        # Both were looked for by now.
        assert heard_other.came.wait(20)
        store.pruned.discard(job_id)
    store.add(job_id)

    assert heard.came.wait(20)
    assert heard.all == [outcome(job_id)]


def test_the_store_is_left_alone_while_all_that_is_waited_for_is_just_being_kept(
    store: Outcomes, watch: OutcomeWatch, job: uuid.UUID
) -> None:
    heard = Heard()
    with watch.submitting([job]):
        watch.wait_for(job, heard)
        wait_until(lambda: watch._has_left_out, "the thread to have nothing to look up")
        # So fast was a worker elsewhere.
        store.add_silently(job)
        assert store.looks == 0

    assert heard.came.wait(20)
    assert heard.all == [outcome(job)]


def test_who_submits_one_by_one_does_not_look_for_outcomes_each_time(kept: DurableExecutor) -> None:
    kept.submit(square, 0)
    looks, outcomes = [], kept.store.outcomes

    def note(job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, JobOutcome]:
        looks.append(1)
        return outcomes(job_ids)

    kept.store.outcomes = note  # type: ignore[method-assign]
    began = monotonic()
    for number in range(200):
        kept.submit(square, number)

    # Once a second, and when it had begun; without a word for submits it was one look for a few of them.
    assert len(looks) <= 4 + 2 * (monotonic() - began)


def test_a_look_that_was_held_up_does_not_keep_the_watch_from_the_next(
    store: Outcomes, watch: OutcomeWatch, job: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("lightwork.durable.outcome_watch.monotonic", lambda: now[0])

    def stand_still(job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, JobOutcome]:
        now[0] += 12.0
        return {}

    monkeypatch.setattr(store, "outcomes", stand_still)

    assert watch._look([job]) <= 2.0
