"""Conformance: what is kept of how the child of a failed or lost attempt ended, and how much it held."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import NullPool, create_engine, select
from sqlalchemy.orm import Session

import lightwork as lw
from lightwork.lifecycle import AttemptEnd, Cancelled, Failed, Lost, Quarantined, Retried
from lightwork.model import ErrorInfo
from lightwork.store.contract import Store
from lightwork.store.views import AttemptView
from net.served import database_url
from store.steps import ERROR, begin_one, execute, registered, rescue_from, submitted

GIGABYTES: int = 5_000_000_000
KILLED = ErrorInfo(type="WorkerLost", text="killed", signal=9, peak_memory=GIGABYTES)


def ended(store: Store, end: AttemptEnd) -> AttemptView:
    """Return what is kept of an attempt that ends so."""
    job_id, worker = submitted(store), registered(store)
    assert store.ack(worker, [(begin_one(store, worker), end)]) == []
    (view,) = store.attempts(job_id)
    return view


@pytest.mark.parametrize("kind", [Failed, Lost, Quarantined])
def test_an_attempt_keeps_the_signal_and_the_most_memory(
    store: Store, kind: type[Failed | Lost | Quarantined]
) -> None:
    view = ended(store, kind(KILLED))

    assert (view.signal, view.peak_memory) == (9, GIGABYTES)
    assert view.error == replace(KILLED, signal=None, peak_memory=None)


def test_an_attempt_that_is_retried_keeps_them_too(store: Store) -> None:
    view = ended(store, Retried(KILLED, 0.0))

    assert (view.signal, view.peak_memory) == (9, GIGABYTES)


@pytest.mark.parametrize("end", [Failed(ERROR), Cancelled()])
def test_what_nobody_knows_is_none(store: Store, end: AttemptEnd) -> None:
    view = ended(store, end)

    assert (view.signal, view.peak_memory) == (None, None)


def test_of_an_attempt_that_was_rescued_nobody_knows(store: Store) -> None:
    job_id, worker = submitted(store), registered(store)
    begin_one(store, worker)

    rescue_from(store, worker)

    (view,) = store.attempts(job_id)
    assert (view.outcome, view.signal, view.peak_memory) == ("lost", None, None)


def test_numbers_that_are_none_are_not_kept_and_refuse_no_end(store: Store) -> None:
    view = ended(store, Failed(replace(KILLED, signal=-1, peak_memory=2**63)))

    assert (view.signal, view.peak_memory) == (None, None)


@pytest.fixture
def session(store: Store) -> Iterator[Session]:
    engine = create_engine(database_url(store), poolclass=NullPool)
    with Session(engine) as opened:
        yield opened
    engine.dispose()


def test_sessions_find_attempts_by_them(store: Store, session: Session) -> None:
    ended(store, Failed(ERROR))
    ended(store, Failed(KILLED))

    found = session.scalars(select(lw.Attempt).where(lw.Attempt.signal == 9)).one()

    assert found.peak_memory == GIGABYTES
    assert session.scalars(select(lw.Attempt.signal)).all().count(None) == 1


@pytest.mark.database
def test_a_worker_of_before_writes_attempts_without_them(store: Store) -> None:
    before = ended(store, Failed(KILLED))
    insert = (
        "INSERT INTO attempt (seq, number, worker, started_at, ended_at, outcome)"
        " SELECT seq, 2, worker, started_at, ended_at, outcome FROM attempt"
    )

    execute(store, insert)

    old = store.attempts(before.job_id)[1]
    assert (old.number, old.signal, old.peak_memory) == (2, None, None)
