"""Conformance: jobs, attempts and workers as classes, in a user's own sessions."""

import asyncio
import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, NullPool, create_engine, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, selectinload, undefer

import lightwork as lw
from lightwork.codec import Codec, Subject
from lightwork.lifecycle import Failed, Retried, Succeeded
from lightwork.model import NewJob
from lightwork.store.contract import Store
from net.served import database_url
from store.steps import ERROR, LANES, claim_one, make_due, new_job, registered, submitted

KEY = b"0123456789abcdef"


class Opaque:
    """Is no plain data."""


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    made = create_engine(database_url(store), poolclass=NullPool)
    yield made
    made.dispose()


def failed_twice(store: Store) -> uuid.UUID:
    job_id, worker = submitted(store), registered(store, name="ada")
    store.ack(worker, [(claim_one(store, worker), Retried(ERROR, 3600.0))])
    make_due(store, job_id)
    store.promote()
    store.ack(worker, [(claim_one(store, worker), Failed(ERROR))])
    return job_id


def called(store: Store, value: object, *, key: bytes = b"") -> uuid.UUID:
    """Keep a job that was called with the value and has returned it."""
    job = new_job(priority=9)
    codec, subject = Codec(authkey=key), Subject(job.id, job.task)
    payload = codec.encode_call(subject, (value,), {"again": value})
    store.submit([NewJob(id=job.id, task=job.task, payload=payload, policy=job.policy)])
    worker = registered(store)
    (attempt,) = store.claim(worker, lanes=LANES, limit=1)
    store.ack(worker, [(attempt, Succeeded(codec.encode_result(subject, value)))])
    return job.id


def test_a_job_knows_its_attempts_and_these_their_worker(store: Store, engine: Engine) -> None:
    job_id = failed_twice(store)

    with Session(engine) as session:
        job = session.scalars(select(lw.Job).where(lw.Job.id == job_id)).one()

        assert [attempt.number for attempt in job.attempts] == [1, 2]
        assert job.attempts[0].job is job
        row = job.attempts[1].worker_row
        assert row is not None
        assert (row.name, row.slots) == ("ada", 4)
        assert job.worker_row is None


def test_relations_are_joined_and_filtered_by_ordinary_sql(store: Store, engine: Engine) -> None:
    job_id, _other = failed_twice(store), submitted(store)
    of_ada = (
        select(lw.Job)
        .join(lw.Job.attempts)
        .join(lw.Attempt.worker_row)
        .where(lw.WorkerRow.name == "ada", lw.Attempt.number == 2)
    )

    with Session(engine) as session:
        assert [job.id for job in session.scalars(of_ada)] == [job_id]


def test_what_runs_knows_its_worker(store: Store, engine: Engine) -> None:
    submitted(store)
    claim_one(store, registered(store, name="eve"))

    with Session(engine) as session:
        row = session.scalars(select(lw.Job)).one().worker_row
        assert row is not None
        assert row.name == "eve"


def test_arguments_and_value_are_decoded_on_access(store: Store, engine: Engine) -> None:
    value = {"a": (1, 2.5, None), "b": b"bytes"}
    called(store, value)

    with Session(engine) as session:
        job = session.scalars(select(lw.Job)).one()

        assert job.arguments() == ((value,), {"again": value})
        assert job.value() == value


def test_a_pickle_is_loaded_with_its_key_only(store: Store, engine: Engine) -> None:
    called(store, Opaque(), key=KEY)

    with Session(engine) as session:
        job = session.scalars(select(lw.Job)).one()
        with pytest.raises(lw.PayloadError, match="no authkey is set here"):
            job.arguments()
        with pytest.raises(lw.PayloadError, match="not signed"):
            job.value(authkey=KEY[::-1])

        assert isinstance(job.value(authkey=KEY), Opaque)


def test_a_job_that_has_not_succeeded_has_no_value(store: Store, engine: Engine) -> None:
    submitted(store)

    with Session(engine) as session, pytest.raises(lw.UsageError, match="is ready: only one"):
        session.scalars(select(lw.Job)).one().value()


def test_pages_are_walked_by_key(store: Store, engine: Engine) -> None:
    ids = [submitted(store) for _ in range(7)]
    found: list[uuid.UUID] = []

    with Session(engine) as session:
        before = None
        while page := session.scalars(lw.Job.newest(before=before, limit=3)).all():
            found += [job.id for job in page]
            before = page[-1].seq
            # What comes in meanwhile moves no page.
            submitted(store)

    assert found == list(reversed(ids))


def test_an_async_session_reads_them_too(postgresql_url: str) -> None:
    from lightwork.store.sqlstore import open_store

    store = open_store(postgresql_url)
    job_id = failed_twice(store)
    store.close()

    async def read() -> tuple[int, bytes]:
        engine = create_async_engine(postgresql_url, poolclass=NullPool)
        async with AsyncSession(engine) as session:
            wanted = (
                select(lw.Job)
                .where(lw.Job.id == job_id)
                .options(selectinload(lw.Job.attempts), undefer(lw.Job.payload))
            )
            job = (await session.scalars(wanted)).one()
            found = len(job.attempts), job.payload
        await engine.dispose()
        return found

    assert asyncio.run(read()) == (2, b"payload")


def test_rows_are_read_without_a_session_as_pandas_does(store: Store, engine: Engine) -> None:
    job_id = failed_twice(store)
    wanted = select(lw.Job.id, lw.Job.state, lw.Job.failures).where(lw.Job.state == "failed")

    with engine.connect() as connection:
        rows = connection.execute(wanted).all()

    assert [tuple(row) for row in rows] == [(job_id, "failed", 2)]


def test_pandas_reads_them(store: Store, engine: Engine) -> None:
    pandas = pytest.importorskip("pandas")
    failed_twice(store)

    frame = pandas.read_sql(select(lw.Job), engine)

    assert list(frame["state"]) == ["failed"]


@pytest.mark.parametrize("change", ["worker_row.name", "attempts"])
def test_nothing_is_changed_through_them(store: Store, engine: Engine, change: str) -> None:
    failed_twice(store)

    with Session(engine) as session:
        job = session.scalars(select(lw.Job)).one()
        if change == "attempts":
            session.delete(job.attempts[0])
        else:
            row = job.attempts[0].worker_row
            assert row is not None
            row.name = "eve"
        with pytest.raises(lw.UsageError, match="is for reading"):
            session.flush()
