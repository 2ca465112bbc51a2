"""Unique tasks, as a program declares and submits them."""

import asyncio
import uuid
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

import lightwork as lw
from face.jobs import square
from lightwork.codec import Codec, Subject
from lightwork.durable.executor import DurableExecutor
from lightwork.lifecycle import AttemptEnd, Failed, Succeeded
from lightwork.model import State
from store.steps import ERROR, registered


def job_ids(*futures: Any) -> list[str]:
    return [str(future.job_id) for future in futures]


def test_equal_arguments_are_one_job(kept: DurableExecutor) -> None:
    unique = lw.call(square, unique=True)

    first, second, other = kept.submit(unique, 3), kept.submit(unique, n=3), kept.submit(unique, 4)

    ids = job_ids(first, second, other)
    assert ids[0] == ids[1] != ids[2]
    assert len(kept.store.jobs()) == 2


def test_both_futures_hear_of_the_outcome(shared: DurableExecutor) -> None:
    unique = lw.call(square, unique=True, delay=0.2)

    futures = [shared.submit(unique, 12) for _ in range(3)]

    assert [future.result(60) for future in futures] == [144, 144, 144]
    assert len(set(job_ids(*futures))) == 1


def test_a_template_names_what_counts(kept: DurableExecutor) -> None:
    parity = lw.call(square, unique="number:{n.denominator}")

    assert len({*job_ids(kept.submit(parity, 3), kept.submit(parity, 5))}) == 1


def test_a_template_that_cannot_be_filled_keeps_nothing(kept: DurableExecutor) -> None:
    with pytest.raises(lw.UsageError, match=r"cannot be filled: KeyError\('user'\).* of n$"):
        kept.submit(lw.call(square, unique="{user}"), 3)

    assert kept.store.jobs() == []


def test_the_future_of_a_job_that_is_replaced_says_so(kept: DurableExecutor) -> None:
    latest = lw.call(square, unique=lw.Unique("x", until="begin", on_conflict="replace"))
    first = kept.submit(latest, 3)

    second = kept.submit(latest, 4)

    with pytest.raises(lw.JobCancelled, match=f"Replaced: job {job_ids(second)[0]} of the same"):
        first.result(60)
    assert not second.done()


def test_a_duplicate_is_refused_on_request(kept: DurableExecutor) -> None:
    strict = lw.call(square, unique=lw.Unique("x", on_conflict="raise"))
    first = kept.submit(strict, 3)

    with pytest.raises(lw.DuplicateJob) as raised:
        kept.submit(strict, 4)

    assert [raised.value.job_id] == job_ids(first)
    assert len(kept.store.jobs()) == 1


def test_many_at_once_and_in_a_loop_are_unique_too(kept: DurableExecutor) -> None:
    unique = lw.call(square, unique=True)

    many = kept.submit_many(unique, [(1,), (2,), (1,)])
    later = asyncio.run(_submit_async(kept, unique))

    assert job_ids(*many)[0] == job_ids(*many)[2] == job_ids(later)[0]
    assert kept.store.summary().states[State.READY] == 2


async def _submit_async(executor: DurableExecutor, task: lw.Task[..., Any]) -> Any:
    return await executor.submit_async(task, 1)


def test_in_a_transaction_of_the_users_own_the_future_is_that_of_the_holder(
    kept: DurableExecutor, url: str
) -> None:
    unique = lw.call(square, unique=True)
    first = kept.submit(unique, 3)
    engine = create_engine(url)

    with Session(engine) as session:
        second = kept.using(session).submit(unique, 3)
        session.commit()
    engine.dispose()

    assert job_ids(second) == job_ids(first)
    assert len(kept.store.jobs()) == 1


def end_one(executor: DurableExecutor, end: AttemptEnd) -> None:
    """Let the next job end as a worker would."""
    store, worker = executor.store, registered(executor.store)
    (attempt,) = store.claim(worker, lanes=store.lanes(["default"]), limit=1)
    store.ack(worker, [(attempt, end)])


def fail_with(executor: DurableExecutor, task: lw.Task[..., Any]) -> Any:
    """Submit under a key of a map, and let the job fail."""
    (future,) = executor.submit_many(task, [(3,)], key="k")
    end_one(executor, Failed(ERROR))
    return future


def test_a_retried_map_gets_the_job_that_holds_the_key_by_now(kept: DurableExecutor) -> None:
    unique = lw.call(square, unique=True)
    first = fail_with(kept, unique)
    holder = kept.submit(unique, 3)

    (again,) = kept.submit_many(unique, [(3,)], key="k", failed="retry")

    assert job_ids(again) == job_ids(holder)
    assert kept.store.states([first.job_id])[first.job_id] is State.FAILED
    assert kept.store.summary().states[State.READY] == 1


def test_a_retry_that_is_to_be_refused_says_so(kept: DurableExecutor) -> None:
    strict = lw.call(square, unique=lw.Unique("x", on_conflict="raise"))
    fail_with(kept, strict)
    holder = kept.submit(strict, 4)

    with pytest.raises(lw.DuplicateJob, match="has failed and was not retried: job") as raised:
        kept.submit_many(strict, [(3,)], key="k", failed="retry")

    assert [raised.value.job_id] == job_ids(holder)


def test_jobs_of_a_map_without_a_future_yet_are_unique_too(
    kept: DurableExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightwork.durable.mapping.AHEAD", 1)
    results = kept.map(lw.call(square, unique="x"), [3, 3])
    end_one(kept, Succeeded(Codec().encode_result(Subject(uuid.uuid4(), ""), 9)))

    assert list(results) == [9, 9]


@pytest.mark.parametrize(
    "options",
    [("x", "never"), ("x", "end", "ignore"), ("x", "end", "skip", -1), (5,)],
)
def test_what_makes_no_sense_is_refused(options: Any) -> None:
    names: Any = ("key", "until", "on_conflict", "period")

    with pytest.raises(lw.UsageError, match="of Unique must be"):
        lw.call(square, unique=lw.Unique(**dict(zip(names, options, strict=False))))


def test_what_is_no_key_is_refused() -> None:
    unique: Any = 7

    with pytest.raises(lw.UsageError, match="unique must be True, a template"):
        lw.call(square, unique=unique)
