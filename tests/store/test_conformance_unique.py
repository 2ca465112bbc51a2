"""What every store promises, on every database: at most one job of a unique key at a time."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lightwork.errors import DuplicateJob
from lightwork.lifecycle import AttemptEnd, Failed, Lost, Released, Retried, Succeeded
from lightwork.model import NewJob, State, UniqueKey
from lightwork.net.opening import open_store
from lightwork.store.contract import Store
from lightwork.store.views import Hindrance, JobFilter, UniqueView
from net.served import database_url
from store.steps import (
    ERROR,
    begin_one,
    claim_one,
    execute,
    new_job,
    registered,
    rescue_from,
    state_of,
    view_of,
)

THREADS = 8


def keyed(
    number: int = 1,
    *,
    until: str = "end",
    period: float = 0.0,
    on_conflict: Any = "skip",
    **policy: Any,
) -> NewJob:
    job = new_job(**policy)
    key = UniqueKey(bytes(15) + bytes([number]), until, period, on_conflict)
    return NewJob(id=job.id, task=job.task, payload=b"p", policy=job.policy, unique=key)


def submit(store: Store, *jobs: NewJob) -> tuple[list[bool], dict[uuid.UUID, uuid.UUID]]:
    taken: dict[uuid.UUID, uuid.UUID] = {}
    return store.submit(jobs, taken=taken), taken


def lose(store: Store) -> None:
    """Let every job be gone, as no store of ours does."""
    for table in ("ready", "job"):
        execute(store, f"DELETE FROM {table}")


# What is shown.


@pytest.mark.parametrize("until", ["begin", "end"])
def test_key_is_shown_with_its_job_and_whether_it_is_held(store: Store, until: Any) -> None:
    job = keyed(until=until)
    submit(store, job)
    key = "00" * 15 + "01"
    assert view_of(store, job.id).unique == UniqueView(key=key, until=until, is_held=True)

    store.cancel([job.id])

    assert view_of(store, job.id).unique == UniqueView(key=key, until=until, is_held=False)


def test_key_that_is_held_for_a_period_is_shown_until_that_is_over(store: Store) -> None:
    job, other = keyed(period=3600.0), new_job()
    submit(store, job, other)
    held = UniqueView(key="00" * 15 + "01", until="period", is_held=True)
    assert view_of(store, job.id).unique == held

    execute(store, "UPDATE unique_key SET expires_at = 1")

    assert view_of(store, job.id).unique == UniqueView(key="", until="period", is_held=False)
    assert view_of(store, other.id).unique is None


# On conflict.


@pytest.mark.parametrize("until", ["begin", "end"])
def test_second_job_of_a_key_is_skipped(store: Store, until: str) -> None:
    first, second, other = keyed(until=until), keyed(until=until), keyed(2, until=until)
    submit(store, first)

    kept, taken = submit(store, second, other)

    assert (kept, taken) == ([False, True], {second.id: first.id})
    assert (store.job(second.id), store.check()) == (None, [])


def test_second_job_of_a_key_is_refused_and_nothing_is_kept(store: Store) -> None:
    first, beside = keyed(), new_job()
    submit(store, first)

    with pytest.raises(DuplicateJob, match="is ready; nothing was kept") as raised:
        submit(store, beside, keyed(on_conflict="raise"))

    assert raised.value.job_id == str(first.id)
    assert store.job(beside.id) is None


@pytest.mark.parametrize("options", [{"until": "begin"}, {"until": "end"}, {"period": 60.0}])
def test_waiting_job_is_replaced(store: Store, options: dict[str, Any]) -> None:
    first, second = keyed(delay=60, **options), keyed(on_conflict="replace", **options)
    submit(store, first)

    kept, taken = submit(store, second)

    assert (kept, taken) == ([True], {})
    outcome = store.outcomes([first.id])[first.id]
    assert outcome.error is not None
    assert (outcome.state, outcome.error.type) == (State.CANCELLED, "Replaced")
    assert submit(store, keyed(**options))[1].popitem()[1] == second.id
    assert store.check() == []


def test_running_job_cannot_be_replaced(store: Store) -> None:
    first = keyed()
    submit(store, first)
    claim_one(store, registered(store))

    with pytest.raises(DuplicateJob, match="is running and cannot be replaced"):
        submit(store, keyed(on_conflict="replace"))

    assert state_of(store, first.id) is State.RUNNING


@pytest.mark.parametrize(
    ("on_conflict", "stands"), [("skip", 0), ("replace", 2)], ids=["skip", "replace"]
)
def test_jobs_of_one_submit_have_one_key_too(store: Store, on_conflict: Any, stands: int) -> None:
    jobs = [keyed(on_conflict=on_conflict) for _ in range(3)]

    kept, taken = submit(store, *jobs)

    assert kept == [number == stands for number in range(3)]
    assert set(taken.values()) == {jobs[stands].id}
    assert len(store.jobs()) == 1


def test_repeated_submit_of_one_id_is_no_conflict(store: Store) -> None:
    job = keyed(on_conflict="raise")
    submit(store, job)

    assert submit(store, job) == ([False], {})


# Until when.


def test_key_until_begin_is_free_once_the_job_is_claimed(store: Store) -> None:
    first, second = keyed(until="begin"), keyed(until="begin")
    submit(store, first)
    claim_one(store, registered(store))

    assert submit(store, second) == ([True], {})
    assert store.check() == []


@pytest.mark.parametrize("end", [Succeeded(b""), Failed(ERROR)])
def test_key_until_end_is_free_with_the_outcome(store: Store, end: AttemptEnd) -> None:
    worker = registered(store)
    submit(store, keyed())
    attempt = begin_one(store, worker)
    assert submit(store, keyed())[0] == [False]

    store.ack(worker, [(attempt, end)])

    assert submit(store, keyed()) == ([True], {})


@pytest.mark.parametrize("end", [Retried(ERROR, 60.0), Released(), Lost(ERROR)])
def test_key_is_held_while_the_job_will_run_again(store: Store, end: AttemptEnd) -> None:
    worker = registered(store)
    submit(store, keyed())

    store.ack(worker, [(claim_one(store, worker), end)])

    assert submit(store, keyed())[0] == [False]
    assert store.check() == []


@pytest.mark.parametrize(
    "free",
    [
        lambda store, job_id: store.cancel([job_id]),
        lambda store, _: store.purge("default"),
        lambda store, _: lose(store),
    ],
    ids=["cancel", "purge", "gone"],
)
def test_key_of_a_job_that_is_gone_is_free(
    store: Store, free: Callable[[Store, uuid.UUID], object]
) -> None:
    job = keyed()
    submit(store, job)

    free(store, job.id)

    assert submit(store, keyed())[0] == [True]


def test_key_is_free_when_the_last_crash_ends_its_job(store: Store) -> None:
    worker = registered(store)
    submit(store, keyed(max_crashes=1))
    begin_one(store, worker)
    rescue_from(store, worker)

    assert submit(store, keyed()) == ([True], {})


def test_key_for_a_period_is_held_whatever_becomes_of_the_job(store: Store) -> None:
    first, worker = keyed(period=3600.0), registered(store)
    submit(store, first)
    store.ack(worker, [(claim_one(store, worker), Succeeded(b""))])

    second = keyed(period=3600.0)
    assert submit(store, second) == ([False], {second.id: first.id})

    execute(store, "UPDATE unique_key SET expires_at = 1")
    store.expire()
    assert submit(store, second) == ([True], {})


def test_key_whose_period_is_over_is_free_before_anybody_cleans_up(store: Store) -> None:
    submit(store, keyed(period=3600.0))
    execute(store, "UPDATE unique_key SET expires_at = 1")

    assert submit(store, keyed(period=3600.0)) == ([True], {})
    assert store.check() == []


def test_key_of_a_pruned_job_is_free(store: Store) -> None:
    first = keyed(period=3600.0)
    submit(store, first)
    store.cancel([first.id])
    execute(store, "UPDATE outcome SET finished_at = 1")
    store.prune(older_than=60)

    assert (submit(store, keyed(period=3600.0))[0], store.check()) == ([True], [])


def test_key_held_without_right_is_told_and_freed(store: Store) -> None:
    submit(store, keyed())
    key = "X'" + "00" * 14 + "0102'"
    if database_url(store).startswith("postgresql"):
        key = "decode('" + "00" * 14 + "0102', 'hex')"
    values = {"job": uuid.uuid4().bytes}
    columns = "(key, job, until)" if "mysql" not in database_url(store) else "(`key`, job, until)"
    execute(store, f"INSERT INTO unique_key {columns} VALUES ({key}, :job, 'end')", values)

    assert store.check() == ["1 unique keys are held by jobs that should hold none"]
    assert store.repair() == ["1 unique keys were freed"]
    assert (store.check(), submit(store, keyed())[0]) == ([], [False])


# Retry.


def failed(store: Store, job: NewJob) -> uuid.UUID:
    """Keep a job and let it fail."""
    submit(store, job)
    worker = registered(store)
    store.ack(worker, [(claim_one(store, worker), Failed(ERROR))])
    return job.id


@pytest.mark.parametrize("until", ["begin", "end"])
def test_job_that_is_retried_takes_its_key_again(store: Store, until: str) -> None:
    job_id = failed(store, keyed(until=until))

    store.retry([job_id])

    second = keyed(until=until)
    assert submit(store, second) == ([False], {second.id: job_id})
    claim_one(store, registered(store))
    assert submit(store, second)[0] == [until == "begin"]
    assert store.check() == []


def test_job_whose_key_another_holds_is_not_retried_and_says_so(store: Store) -> None:
    first, second, other = failed(store, keyed()), failed(store, keyed()), failed(store, keyed(2))
    hindered: dict[uuid.UUID, Hindrance] = {}

    after = store.retry([second, first, other], hindered=hindered)

    # Of several of one key the first.
    assert after == {first: State.READY, second: State.FAILED, other: State.READY}
    assert hindered == {second: Hindrance(kind="unique", job_id=first)}
    claim_one(store, registered(store))
    assert store.retry([second]) == {second: State.FAILED}
    assert store.check() == []


def test_jobs_retried_by_a_filter_are_skipped_for_their_keys_too(store: Store) -> None:
    first, second = failed(store, keyed()), failed(store, keyed())

    found = store.retry_where(JobFilter(state=State.FAILED))

    assert {job.id: (job.state, job.hindrance) for job in found} == {
        first: (State.READY, None),
        second: (State.FAILED, Hindrance(kind="unique", job_id=first)),
    }


def test_key_of_a_job_that_is_not_retried_stays_free(store: Store) -> None:
    parent = failed(store, new_job())
    child = replace(keyed(), after=(parent,), needs_success=True)
    submit(store, child)
    hindered: dict[uuid.UUID, Hindrance] = {}

    assert store.retry([child.id], hindered=hindered) == {child.id: State.FAILED}

    assert hindered == {child.id: Hindrance(kind="parent", job_id=parent)}
    assert submit(store, keyed())[0] == [True]


def test_job_of_a_period_is_retried_whoever_was_submitted_since(store: Store) -> None:
    job_id = failed(store, keyed(period=3600.0))
    execute(store, "UPDATE unique_key SET expires_at = 1")
    submit(store, keyed(period=3600.0))

    assert store.retry([job_id]) == {job_id: State.READY}
    assert store.check() == []


# At once.


def at_once(store: Store, act: Callable[[Store, int], None]) -> list[BaseException]:
    """Have threads act at once, each on a store of its own; return what was raised."""
    barrier = threading.Barrier(THREADS)
    errors: list[BaseException] = []

    def run(number: int) -> None:
        opened = open_store(store.url)
        try:
            barrier.wait(60)
            act(opened, number)
        except BaseException as error:
            errors.append(error)
        finally:
            opened.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.parametrize("on_conflict", ["skip", "raise"])
def test_of_many_who_submit_a_key_at_once_exactly_one_keeps_a_job(
    store: Store, on_conflict: Any
) -> None:
    kept: list[bool] = []

    def act(opened: Store, _number: int) -> None:
        for key in range(5):
            kept.extend(submit(opened, keyed(key, on_conflict=on_conflict))[0])

    errors = at_once(store, act)

    assert len(store.jobs()) == 5 if on_conflict == "skip" else store.jobs()
    assert all(isinstance(error, DuplicateJob) for error in errors), errors
    assert sum(kept) == len(store.jobs())
    assert store.check() == []


def test_of_many_who_replace_at_once_exactly_one_job_waits(store: Store) -> None:
    def act(opened: Store, _number: int) -> None:
        for _ in range(3):
            submit(opened, *(keyed(key, on_conflict="replace", until="begin") for key in (3, 1, 2)))

    assert at_once(store, act) == []

    states = store.summary().states
    assert (states[State.READY], states[State.CANCELLED]) == (3, 9 * THREADS - 3)
    assert store.check() == []


def test_keys_are_held_and_freed_by_those_who_claim_at_once(store: Store) -> None:
    def act(opened: Store, number: int) -> None:
        worker = registered(opened)
        for _ in range(5):
            submit(opened, keyed(number % 2))
            for attempt in opened.claim(worker, lanes=opened.lanes(["default"]), limit=1):
                opened.ack(worker, [(attempt, Succeeded(b""))])

    assert at_once(store, act) == []

    assert store.summary().states[State.READY] <= 2
    assert store.check() == []


def test_of_many_who_retry_and_submit_a_key_at_once_exactly_one_waits(store: Store) -> None:
    ids = [failed(store, keyed()) for _ in range(THREADS)]

    def act(opened: Store, number: int) -> None:
        if number % 2:
            opened.retry([ids[number]])
        else:
            submit(opened, keyed())

    assert at_once(store, act) == []

    assert store.summary().states[State.READY] == 1
    assert store.check() == []
