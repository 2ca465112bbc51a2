"""Conformance: what a store is told to do for all programs that use it; how large payloads may be."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import NullPool, create_engine

from lightwork.codec.payload import MAX_BYTES
from lightwork.errors import PayloadError, UsageError
from lightwork.model import NewSchedule
from lightwork.net.opening import open_store
from lightwork.store.contract import Store
from net.served import database_url
from store.steps import execute, new_job, submitted
from waiting import wait_until

ADA = "ada@analytical"
MOST = 4096
SMALL, LARGE = bytes(MOST), bytes(MOST + 1)


@pytest.fixture
def bounded(store: Store) -> Store:
    """A store that takes payloads of 4096 bytes."""
    store.change_setting("max_payload", MOST, by=ADA)
    return store


@pytest.fixture
def other(store: Store) -> Iterator[Store]:
    """The store as another program has it open, which has submitted before."""
    with closing(open_store(store.url)) as opened:
        submitted(opened)
        yield opened


def test_nobody_has_set_anything_at_first(store: Store) -> None:
    (setting,) = store.settings()

    assert setting.name == "max_payload"
    assert setting.value == setting.default
    assert 0 < setting.default <= MAX_BYTES
    assert (setting.set_by, setting.set_at) == ("", None)


def test_a_setting_says_who_has_set_it_and_when(bounded: Store) -> None:
    job_id = submitted(bounded)

    (setting,) = bounded.settings()

    job = bounded.job(job_id)
    assert job is not None
    assert setting.set_at is not None
    assert (setting.value, setting.set_by) == (MOST, ADA)
    assert abs((setting.set_at - job.created_at).total_seconds()) < 60


def test_a_payload_that_is_too_large_is_refused_with_all_that_comes_with_it(bounded: Store) -> None:
    jobs = [new_job(payload=SMALL), new_job(payload=LARGE), new_job(payload=SMALL)]

    with pytest.raises(PayloadError, match=r"4,097 bytes.*4,096.*set by ada@analytical") as caught:
        bounded.submit(jobs)

    assert (caught.value.seen, caught.value.allowed) == (MOST + 1, MOST)
    assert bounded.jobs() == []
    assert bounded.submit([jobs[0]]) == [True]


def test_a_job_that_waits_for_nobody_to_write_it_is_refused_too(bounded: Store) -> None:
    refused = bounded.submit_nowait([new_job(payload=LARGE)])
    kept = bounded.submit_nowait([new_job(payload=SMALL)])

    assert kept.result(30) == [True]
    assert isinstance(refused.exception(30), PayloadError)
    assert len(bounded.jobs()) == 1


def test_a_schedule_is_refused_whose_jobs_would_be_too_large(bounded: Store) -> None:
    daily = NewSchedule(name="daily", task="jobs:work", spec="0 3 * * *", payload=LARGE)

    with pytest.raises(PayloadError, match="max_payload"):
        bounded.declare_schedules([daily])

    assert bounded.schedules() == []
    assert bounded.declare_schedules([replace(daily, payload=SMALL)]) == ["daily"]


def test_other_programs_feel_it_within_five_seconds(store: Store, other: Store) -> None:
    store.change_setting("max_payload", MOST, by=ADA)

    def is_refused() -> bool:
        try:
            other.submit([new_job(payload=LARGE)])
        except PayloadError:
            return True
        return False

    wait_until(is_refused, "the payload is refused", within=5.0)


def test_a_program_that_begins_feels_it_at_once(bounded: Store) -> None:
    with closing(open_store(bounded.url)) as fresh, pytest.raises(PayloadError):
        fresh.submit([new_job(payload=LARGE)])


def test_what_is_unset_is_as_it_was(bounded: Store) -> None:
    bounded.change_setting("max_payload", None, by=ADA)

    (setting,) = bounded.settings()
    assert (setting.value, setting.set_by, setting.set_at) == (setting.default, "", None)
    assert bounded.submit([new_job(payload=LARGE)]) == [True]


def test_the_last_word_counts(bounded: Store) -> None:
    bounded.change_setting("max_payload", 2 * MOST, by="grace@harvard")

    (setting,) = bounded.settings()
    assert (setting.value, setting.set_by) == (2 * MOST, "grace@harvard")
    assert bounded.submit([new_job(payload=LARGE)]) == [True]


@pytest.mark.parametrize("value", [-1, 0, 1023, MAX_BYTES + 1, 2**62])
def test_a_value_that_makes_no_sense_is_refused(bounded: Store, value: int) -> None:
    with pytest.raises(UsageError, match="max_payload"):
        bounded.change_setting("max_payload", value, by=ADA)

    assert bounded.settings()[0].value == MOST


def test_a_setting_that_there_is_not_is_refused(store: Store) -> None:
    with pytest.raises(UsageError, match=r"no setting.*max_payload"):
        store.change_setting("max_paylod", 4096, by=ADA)


@pytest.mark.database
def test_jobs_that_were_kept_before_run_and_are_retried(store: Store) -> None:
    job = new_job(payload=LARGE)
    store.submit([job])
    store.change_setting("max_payload", MOST, by=ADA)
    store.cancel([job.id])

    assert store.retry([job.id])[job.id] == "ready"


@pytest.mark.database
def test_a_value_that_cannot_be_read_bounds_nothing(bounded: Store) -> None:
    execute(bounded, "UPDATE setting SET value = 'many'")

    (setting,) = bounded.settings()
    assert setting.value == setting.default
    with closing(open_store(bounded.url)) as fresh:
        assert fresh.submit([new_job(payload=LARGE)]) == [True]


@pytest.mark.database
def test_in_a_transaction_of_the_users_own_it_is_refused_before_anything_is_written(
    bounded: Store,
) -> None:
    engine = create_engine(database_url(bounded), poolclass=NullPool)
    kept = new_job(payload=SMALL)

    with engine.begin() as connection:
        with pytest.raises(PayloadError, match="set by ada"):
            bounded.submit_on(connection, [new_job(payload=LARGE)])
        bounded.submit_on(connection, [kept])

    engine.dispose()
    assert [view.id for view in bounded.jobs()] == [kept.id]


@pytest.mark.database
def test_a_transaction_that_has_begun_before_feels_it_too(store: Store, other: Store) -> None:
    engine = create_engine(database_url(store), poolclass=NullPool)

    with engine.connect() as connection:
        # The snapshot of the transaction is older than the setting.
        connection.exec_driver_sql("SELECT COUNT(*) FROM job")
        store.change_setting("max_payload", MOST, by=ADA)

        def is_refused() -> bool:
            try:
                other.submit_on(connection, [new_job(payload=LARGE)])
            except PayloadError:
                return True
            connection.rollback()
            connection.exec_driver_sql("SELECT COUNT(*) FROM job")
            return False

        wait_until(is_refused, "the payload is refused", within=5.0)
    engine.dispose()
