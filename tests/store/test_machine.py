"""Random histories of jobs and workers, against a model that fits on a page.

The model knows for each job what the contract says; after every step the store
must say the same. Leases end and jobs become due by changing the database, so
nothing waits.
"""

import dataclasses
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from lightwork.lifecycle import (
    AttemptEnd,
    Cancelled,
    Failed,
    Forfeited,
    Lost,
    Quarantined,
    Released,
    Retried,
    Snoozed,
    Succeeded,
)
from lightwork.model import Attempt, State
from lightwork.retry import SUSPECT_LOSSES
from lightwork.store.sqlstore import SqlStore
from store import servers
from store.steps import ERROR, end_lease, make_due, new_job, registered, view_of

MAX_CRASHES = 2
TASKS = ("jobs:work", "mail:send", "mail:sort")
AFTER: dict[type[AttemptEnd], tuple[State, int, int]] = {
    Succeeded: (State.SUCCEEDED, 0, 0),
    Failed: (State.FAILED, 1, 0),
    Retried: (State.SCHEDULED, 1, 0),
    Snoozed: (State.SCHEDULED, 0, 0),
    Cancelled: (State.CANCELLED, 0, 0),
    Released: (State.READY, 0, 0),
    Lost: (State.READY, 0, 1),
    Quarantined: (State.FAILED, 0, 1),
    Forfeited: (State.READY, 0, 0),
}
ENDS = [
    Succeeded(b"result"),
    Failed(ERROR),
    Retried(ERROR, 3600.0),
    Snoozed(3600.0),
    Cancelled(),
    Released(),
    Lost(ERROR),
    Quarantined(ERROR),
]


@dataclasses.dataclass
class Job:
    order: int
    task: str
    priority: int
    state: State
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    losses: int = 0
    has_begun: bool = False
    worker: uuid.UUID | None = None
    is_unwanted: bool = False

    @property
    def is_suspect(self) -> bool:
        return self.losses >= SUSPECT_LOSSES

    def lose(self) -> None:
        if not self.has_begun:
            self.losses += 1
            self.end(Forfeited)
        else:
            self.end(Quarantined if self.crashes + 1 >= MAX_CRASHES else Lost)

    def end(self, kind: type[AttemptEnd]) -> None:
        self.state, failures, crashes = AFTER[kind]
        if self.is_unwanted and not self.state.is_final:
            self.state = State.CANCELLED
        self.failures += failures
        self.crashes += crashes
        self.worker = None


class Histories(RuleBasedStateMachine):
    jobs: Bundle[uuid.UUID] = Bundle("jobs")
    workers: Bundle[uuid.UUID] = Bundle("workers")
    claimed: Bundle[tuple[uuid.UUID, Attempt]] = Bundle("claimed")
    # Makes a new store that is empty, and takes it away.
    fresh: Callable[[], AbstractContextManager[str]]

    @initialize()
    def open(self) -> None:
        self.place = type(self).fresh()
        self.store = SqlStore(self.place.__enter__())
        self.model: dict[uuid.UUID, Job] = {}
        self.live: set[uuid.UUID] = set()

    def teardown(self) -> None:
        assert self.store.check() == []
        self.store.close()
        self.place.__exit__(None, None, None)

    @rule(
        target=jobs,
        priority=st.integers(-1, 1),
        is_delayed=st.booleans(),
        task=st.sampled_from(TASKS),
    )
    def submit(self, priority: int, is_delayed: bool, task: str) -> uuid.UUID:
        delay = 3600.0 if is_delayed else 0.0
        job = new_job(task=task, priority=priority, delay=delay, max_crashes=MAX_CRASHES)
        assert self.store.submit([job, job]) == [True, False]
        state = State.SCHEDULED if is_delayed else State.READY
        self.model[job.id] = Job(len(self.model), task, priority, state)
        return job.id

    @rule(target=workers)
    def register(self) -> uuid.UUID:
        worker = registered(self.store, lease=3600)
        self.live.add(worker)
        return worker

    @rule(
        target=claimed,
        worker=workers,
        limit=st.integers(0, 2),
        ahead=st.integers(0, 2),
        known=st.sets(st.sampled_from(TASKS), min_size=1),
    )
    def claim(self, worker: uuid.UUID, limit: int, ahead: int, known: set[str]) -> Any:
        ready = [(key, job) for key, job in self.model.items() if job.state == State.READY]
        lanes = self.store.lanes(["default"])
        assert {lane.task for lane in lanes} == {job.task for _key, job in ready}
        ready = [(key, job) for key, job in ready if job.task in known]
        ready.sort(key=lambda item: (-item[1].priority, item[1].order))
        waits = [job.is_suspect for _, job in ready[limit:]]
        more = waits.index(True) if True in waits else len(waits)
        expected = ready[: limit + min(more, ahead)] if worker in self.live else []
        attempts = self.store.claim(
            worker,
            lanes=[lane for lane in lanes if lane.task in known],
            limit=limit,
            ahead=ahead,
        )
        for _key, job in expected:
            job.state, job.worker, job.attempt = State.RUNNING, worker, job.attempt + 1
            job.is_unwanted, job.has_begun = False, job.is_suspect
        assert [(a.job_id, a.number, a.failures, a.crashes) for a in attempts] == [
            (key, job.attempt, job.failures, job.crashes) for key, job in expected
        ]
        return multiple(*((worker, attempt) for attempt in attempts))

    @rule(
        attempts=st.lists(claimed, min_size=1, max_size=3),
        ends=st.lists(st.sampled_from(ENDS), min_size=3, max_size=3),
        worker=workers,
    )
    def ack(
        self, attempts: list[tuple[uuid.UUID, Attempt]], ends: list[AttemptEnd], worker: uuid.UUID
    ) -> None:
        # Mostly as its owner; a stranger's acks are refused like any late one.
        acker = attempts[0][0] if attempts[0][0] in self.live else worker
        pairs = [(attempt, end) for (_owner, attempt), end in zip(attempts, ends, strict=False)]
        refused = []
        for attempt, end in pairs:
            job = self.model[attempt.job_id]
            if (job.state, job.attempt, job.worker) == (State.RUNNING, attempt.number, acker):
                job.end(type(end))
            else:
                refused.append(attempt)
        assert self.store.ack(acker, pairs) == refused

    @rule(one=claimed)
    def begin(self, one: tuple[uuid.UUID, Attempt]) -> None:
        owner, attempt = one
        job = self.model[attempt.job_id]
        if (job.attempt, job.worker) == (attempt.number, owner):
            job.has_begun = True
        assert self.store.ack(owner, [], begun=[attempt]) == []

    @rule(worker=workers)
    def lose(self, worker: uuid.UUID) -> None:
        end_lease(self.store, worker)
        self.live.discard(worker)
        assert self.store.renew(worker, lease=3600) is False

    @rule()
    def rescue(self) -> None:
        lost = {
            key: job
            for key, job in self.model.items()
            if job.state == State.RUNNING and job.worker not in self.live
        }
        for job in lost.values():
            job.lose()
        rescued = self.store.rescue()
        assert {r.job_id: (r.number, r.state_after) for r in rescued} == {
            key: (job.attempt, job.state) for key, job in lost.items()
        }

    @rule(worker=workers)
    def sign_off(self, worker: uuid.UUID) -> None:
        self.store.sign_off(worker)
        self.live.discard(worker)
        for job in self.model.values():
            if job.worker == worker:
                job.end(Released)

    @rule(key=jobs)
    def promote(self, key: uuid.UUID) -> None:
        make_due(self.store, key)
        self.store.promote()
        for other in self.model.values():
            if other is self.model[key] and other.state == State.SCHEDULED:
                other.state = State.READY

    @rule(key=jobs)
    def cancel(self, key: uuid.UUID) -> None:
        job = self.model[key]
        if job.state == State.RUNNING:
            job.is_unwanted = True
        elif not job.state.is_final:
            job.state = State.CANCELLED
        assert self.store.cancel([key]) == {key: job.state}

    @rule(key=jobs)
    def retry(self, key: uuid.UUID) -> None:
        job = self.model[key]
        if job.state in {State.FAILED, State.CANCELLED}:
            job.state, job.failures, job.crashes, job.losses = State.READY, 0, 0, 0
            job.is_unwanted = False
        assert self.store.retry([key]) == {key: job.state}

    @invariant()
    def store_agrees(self) -> None:
        assert self.store.states(self.model) == {key: job.state for key, job in self.model.items()}
        assert set(self.store.outcomes(self.model)) == {
            key for key, job in self.model.items() if job.state.is_final
        }
        for key, job in self.model.items():
            view = view_of(self.store, key)
            assert (view.attempt, view.failures, view.crashes, view.losses) == (
                job.attempt,
                job.failures,
                job.crashes,
                job.losses,
            )
            assert view.has_begun == (job.state == State.RUNNING and job.has_begun)


@contextmanager
def copy_of_file(path: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{shutil.copy(path, folder)}"


def copier(url: str) -> Callable[[], AbstractContextManager[str]]:
    """Return what makes copies of a store that is empty: quicker than to make its tables."""
    if url.startswith("mariadb"):
        return lambda: servers.used_database("mariadb")
    path = url.removeprefix("sqlite:///")
    return (lambda: servers.copy_of(url)) if path == url else lambda: copy_of_file(Path(path))


def test_random_histories_agree_with_the_model(url: str) -> None:
    SqlStore(url).close()

    class HistoriesHere(Histories):
        fresh = staticmethod(copier(url))

    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        HistoriesHere,
        settings=settings(
            # Servers take their time for each step.
            max_examples=25 if url.startswith("sqlite") else 12,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
