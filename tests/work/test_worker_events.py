"""Events of a worker: what a listener hears, in which order, and that it harms nothing."""

import threading
from collections.abc import Callable
from typing import get_args

import pytest

import lightwork as lw
from lightwork import lifecycle
from lightwork.errors import StoreUnavailable
from lightwork.events.kinds import Event
from lightwork.events.listeners import Listeners
from lightwork.model import ErrorInfo, State, WorkerInfo
from lightwork.pool.call.current import current
from lightwork.store.contract import Store
from lightwork.tasks.task import task
from lightwork.work.news.telling import Telling
from lightwork.work.service import Worker
from waiting import wait_until
from work.jobs import block, fail_once, leave, note, submit, wait_for
from work.made import attempt

ERROR = ErrorInfo(type="ValueError", text="no")


def heard_by(worker: Worker) -> list[Event]:
    heard: list[Event] = []
    worker.on(lw.JobEvent, heard.append)
    worker.on(lw.WorkerEvent, heard.append)
    return heard


def test_a_job_that_takes_its_time_is_claimed_started_and_succeeds(
    store: Store, make: Callable[..., Worker]
) -> None:
    worker = make(name="ada", burst=True)
    heard = heard_by(worker)
    job_id = submit(store, block)

    worker.start()
    wait_until(lambda: any(isinstance(one, lw.Started) for one in heard), "it has begun")
    leave.set()
    worker.join()

    of_job = [one for one in heard if isinstance(one, lw.JobEvent)]
    assert [type(one) for one in of_job] == [lw.Claimed, lw.Started, lw.Succeeded]
    assert {(one.job_id, one.seq, one.task, one.queue, one.attempt) for one in of_job} == {
        (job_id, 1, block.name, "default", 1)
    }
    done = of_job[-1]
    assert isinstance(done, lw.Succeeded)
    assert done.seconds > 0
    of_worker = [one for one in heard if isinstance(one, lw.WorkerEvent)]
    assert [type(one) for one in of_worker] == [lw.WorkerStarted, lw.WorkerStopped]
    assert {(one.name, one.worker) for one in of_worker} == {("ada", of_job[0].worker)}


def test_a_lease_that_is_lost_while_the_store_is_away_is_told_once(
    store: Store, make: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = make(lease=0.5)
    heard = heard_by(worker)
    worker.start()
    wait_until(lambda: bool(heard), "the worker is at work")
    register, away = store.register, iter(range(2))

    def refuse(info: WorkerInfo, *, lease: float, is_here: bool = False) -> None:
        if next(away, None) is not None:
            raise StoreUnavailable("away")
        register(info, lease=lease, is_here=is_here)

    monkeypatch.setattr(store, "register", refuse)
    with monkeypatch.context() as lost:
        lost.setattr(store, "renew", lambda *_, **__: False)
        wait_until(lambda: lw.WorkerLeaseLost in map(type, heard), "the lease is lost")

    wait_until(lambda: [type(one) for one in heard].count(lw.WorkerStarted) > 1, "it goes on")
    told = [one.worker for one in heard if isinstance(one, lw.WorkerLeaseLost)]
    assert len(told) == len(set(told))
    assert next(away, None) is None


def test_a_failure_that_is_run_again_is_retried_and_none_that_is_not(
    store: Store, make: Callable[..., Worker]
) -> None:
    worker = make(burst=False)
    heard = heard_by(worker)
    job_id = submit(store, fail_once)
    worker.start()
    wait_for(store, job_id, State.SUCCEEDED)
    wait_until(lambda: any(isinstance(one, lw.Succeeded) for one in heard), "it was told")

    (retried,) = [one for one in heard if isinstance(one, lw.Retried)]

    assert (retried.error.type, retried.attempt) == ("OSError", 1)
    assert retried.delay > 0
    assert not any(isinstance(one, lw.Failed) for one in heard)


def test_a_listener_that_raises_costs_no_job(
    store: Store, make: Callable[..., Worker], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: Event) -> None:
        raise ValueError("listener")

    worker = make(burst=True)
    worker.on(lw.JobEvent, fail)
    jobs = [submit(store, note, number) for number in range(20)]

    worker.start()
    worker.join()

    assert set(store.states(jobs).values()) == {State.SUCCEEDED}
    said = [record.getMessage() for record in caplog.records]
    assert sum(text.startswith("listener_failed") for text in said) == 1


ENDS = [
    (lifecycle.Succeeded(b""), lw.Succeeded),
    (lifecycle.Retried(ERROR, 1.5), lw.Retried),
    (lifecycle.Snoozed(5.0), lw.Snoozed),
    (lifecycle.Failed(ERROR), lw.Failed),
    (lifecycle.Lost(ERROR), lw.Lost),
    (lifecycle.Quarantined(ERROR), lw.Quarantined),
    (lifecycle.Cancelled(), lw.Cancelled),
    (lifecycle.Released(), lw.Released),
    (lifecycle.Forfeited(), lw.Released),
]


@pytest.mark.parametrize(("end", "kind"), ENDS)
def test_every_end_of_an_attempt_is_told(
    end: lifecycle.AttemptEnd, kind: type[lw.JobEvent]
) -> None:
    listeners, heard = Listeners(), list[Event]()
    listeners.add(lw.JobEvent, heard.append)
    held = attempt(number=3)

    Telling("ada", listeners).ended([(held, end)])

    (event,) = heard
    assert type(event) is kind
    assert isinstance(event, lw.JobEvent)
    assert (event.job_id, event.attempt) == (held.job_id, 3)
    assert getattr(event, "error", None) == getattr(end, "error", None)


def test_no_end_of_an_attempt_was_forgotten() -> None:
    assert {type(end) for end, _ in ENDS} == set(get_args(lifecycle.AttemptEnd))


_told = threading.Event()


@task
def report_half() -> None:
    current().progress(1, 2, "half")
    _told.wait(60)


def test_progress_is_told(store: Store, make: Callable[..., Worker]) -> None:
    worker = Worker(store, executor="threads:1", tasks=[report_half], burst=True)
    worker.on(lw.Progressed, lambda _: _told.set())
    heard = heard_by(worker)
    submit(store, report_half)

    worker.start()
    worker.join()

    progress = [one.progress for one in heard if isinstance(one, lw.Progressed)]
    assert [(one.done, one.total, one.note) for one in progress] == [(1, 2, "half")]
