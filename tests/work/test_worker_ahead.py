"""What a worker has claimed ahead: told apart from what has begun, and handed back in time."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from lightwork.errors import StoreUnavailable
from lightwork.model import Attempt, State
from lightwork.store.contract import Store
from lightwork.store.views import JobView
from lightwork.work.acks import MANY
from lightwork.work.service import Worker
from waiting import wait_until
from work.jobs import (
    TASKS,
    block,
    entered,
    leave,
    new,
    note,
    ran,
    submit,
    wait_for,
    wait_for_another,
    wait_for_file,
)

pytestmark = pytest.mark.process


def view_of(store: Store, job_id: uuid.UUID) -> JobView:
    view = store.job(job_id)
    assert view is not None
    return view


def hurried(store: Store, make: Callable[..., Worker], **options: Any) -> Worker:
    """Return a worker that has found jobs to be short, and so claims far ahead."""
    worker = make(**options)
    worker.start()
    jobs = [new(note, number) for number in range(200)]
    store.submit(jobs)
    wait_until(
        lambda: set(store.states(job.id for job in jobs).values()) == {State.SUCCEEDED},
        "short jobs",
    )
    return worker


def test_jobs_behind_a_long_one_go_to_an_idle_worker(
    store: Store, make: Callable[..., Worker]
) -> None:
    hurried(store, make)
    long, *short = [new(block), *(new(note, number) for number in range(300))]
    store.submit([long, *short])
    assert entered.wait(20)
    # Claimed once at least; perhaps they have come back already.
    wait_until(lambda: view_of(store, short[-1].id).attempt, "a claim ahead")

    make().start()

    wait_until(
        lambda: set(store.states(job.id for job in short).values()) == {State.SUCCEEDED},
        "the jobs behind the long one",
    )
    views = [view_of(store, job.id) for job in short]
    assert store.states([long.id]) == {long.id: State.RUNNING}
    assert {(view.failures, view.crashes, view.losses) for view in views} == {(0, 0, 0)}


def test_a_job_may_wait_for_another_where_a_second_worker_is_idle(
    store: Store, make: Callable[..., Worker]
) -> None:
    hurried(store, make)
    child = new(note, 7)
    parent = new(wait_for_another, str(child.id))
    store.submit([parent, child])
    assert entered.wait(20)
    # The worker of the one has claimed the other too, behind it.
    wait_until(lambda: view_of(store, child.id).attempt, "a claim ahead")

    make().start()

    wait_for(store, parent.id, State.SUCCEEDED)


@pytest.mark.parametrize("executor", ["threads:1", "processes:1"])
def test_the_store_learns_which_of_the_claimed_jobs_has_begun(
    store: Store, make: Callable[..., Worker], tmp_path: Path, executor: str
) -> None:
    gate = tmp_path / "gate"
    worker = make(executor=executor)
    worker._loop._slots = 3  # claims two more than it can run
    jobs = [submit(store, wait_for_file, str(gate)) for _ in range(3)]
    worker.start()

    wait_until(lambda: view_of(store, jobs[0]).has_begun, "the first job to be begun")
    views = [view_of(store, job_id) for job_id in jobs]
    gate.touch()

    assert [(view.state, view.has_begun) for view in views] == [
        (State.RUNNING, True),
        (State.RUNNING, False),
        (State.RUNNING, False),
    ]
    wait_for(store, jobs[-1], State.SUCCEEDED)


def test_a_burst_ends_only_when_jobs_that_need_a_free_slot_have_run(
    store: Store, make: Callable[..., Worker]
) -> None:
    store.submit([new(note, number, idempotent=number % 3 > 0) for number in range(60)])

    make(burst=True).run()

    assert sorted(ran) == list(range(60))


def test_jobs_that_may_not_run_twice_are_held_one_for_each_slot(
    store: Store, make: Callable[..., Worker]
) -> None:
    hurried(store, make)
    long, waiting = new(block, idempotent=False), new(note, 2, idempotent=False)
    store.submit([long, waiting])
    assert entered.wait(20)

    leave.set()
    wait_for(store, waiting.id, State.SUCCEEDED)

    # Never handed back, so never taken before its slot was free.
    assert view_of(store, waiting.id).attempt == 1
    started = view_of(store, waiting.id).started_at
    ended = view_of(store, long.id).finished_at
    assert started is not None
    assert ended is not None
    assert started >= ended


class _LosesAnAnswer:
    """A store whose first claim is made, and its answer lost on the way."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._is_first = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def claim(self, *args: Any, **options: Any) -> list[Attempt]:
        claimed = self._store.claim(*args, **options)
        if claimed and self._is_first:
            self._is_first = False
            raise StoreUnavailable("the connection was lost during the commit")
        return claimed


@pytest.mark.parametrize("idempotent", [True, False])
def test_what_a_claim_took_whose_answer_was_lost_is_claimed_again(
    store: Store, idempotent: bool
) -> None:
    store.submit([new(note, number, idempotent=idempotent) for number in range(5)])
    losing = cast("Store", _LosesAnAnswer(store))

    Worker(losing, executor="threads:1", tasks=TASKS, burst=True).run()

    assert sorted(ran) == list(range(5))
    assert {(view.crashes, view.losses) for view in store.jobs()} == {(0, 0)}


class _ClaimsLate:
    """A store whose first claim is cut off, and made by the server when somebody has asked what is held."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cut: Callable[[], object] | None = None
        self._has_cut = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def claim(self, *args: Any, **options: Any) -> list[Attempt]:
        if not self._has_cut:
            self._has_cut = True
            self._cut = lambda: self._store.claim(*args, **options)
            raise StoreUnavailable("the connection was lost while the server was at it")
        return self._store.claim(*args, **options)

    def release_others(self, *args: Any, **options: Any) -> int:
        released = self._store.release_others(*args, **options)
        if self._cut is not None:
            cut, self._cut = self._cut, None
            cut()
        return released


def test_a_claim_that_a_slow_server_makes_long_after_the_line_was_cut_is_given_back(
    store: Store,
) -> None:
    job_id = submit(store, note, 1)
    worker = Worker(cast("Store", _ClaimsLate(store)), executor="threads:1", tasks=TASKS)
    worker.start()

    wait_for(store, job_id, State.SUCCEEDED)
    worker.stop()

    assert view_of(store, job_id).attempt == 2
    assert ran == [1]


class _HoldsAnAck:
    """A store that takes its time with one ack: until all that is claimed has run, and that is much."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._claimed = self._ended = 0
        self._has_held = False
        # What it was asked to write after that.
        self.later: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def claim(self, *arguments: Any, **options: Any) -> list[Attempt]:
        claimed = self._store.claim(*arguments, **options)
        self._note("claim")
        self._claimed += len(claimed)
        return claimed

    def ack(self, *arguments: Any, **options: Any) -> list[Attempt]:
        refused = self._store.ack(*arguments, **options)
        self._note("ack")
        self._ended += len(arguments[1])
        if not self._has_held and self._claimed - self._ended >= 2 * MANY:
            wait_until(lambda: len(ran) == self._claimed, "all that is claimed to run")
            self._has_held = True
        return refused

    def _note(self, what: str) -> None:
        if self._has_held:
            self.later.append(what)


def test_more_is_claimed_before_the_ends_of_many_are_recorded(store: Store) -> None:
    jobs = [new(note, number) for number in range(3000)]
    store.submit(jobs)
    holding = _HoldsAnAck(store)

    worker = Worker(cast("Store", holding), executor="threads:1", tasks=TASKS)
    worker.start()
    wait_until(
        lambda: set(store.states(job.id for job in jobs).values()) == {State.SUCCEEDED},
        "all to be recorded",
    )
    worker.stop()

    # Once or twice: an end may arrive while the first of them is under way.
    assert holding.later[0] == "claim"
    assert "ack" in holding.later[1:3]
