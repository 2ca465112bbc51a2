"""Ids: fresh ones sort by time, keyed ones are the same tomorrow, chosen ones belong to one call."""

import asyncio
import os
import time
import uuid
from typing import Any

import pytest

import lightwork as lw
from face.jobs import Opaque, add, square
from lightwork.durable.executor import DurableExecutor
from lightwork.durable.ids import keyed_job_id, new_job_id

DIGEST = b"d" * 32
ID = uuid.UUID("01a208e3-c262-726d-99db-b8702431cc0f")


def test_a_fresh_id_is_a_uuid_of_version_7() -> None:
    made = new_job_id()

    assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_a_fresh_id_starts_with_the_milliseconds_of_its_making() -> None:
    before = time.time_ns() // 1_000_000

    made = new_job_id().int >> 80

    assert before <= made <= time.time_ns() // 1_000_000


def test_fresh_ids_differ() -> None:
    assert len({new_job_id() for _ in range(10_000)}) == 10_000


def test_a_forked_child_makes_other_ids_than_its_parent() -> None:
    new_job_id()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, b"".join(new_job_id().bytes for _ in range(200)))
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 200 * 16)
    os.close(reading)
    os.close(writing)

    ours = {new_job_id().bytes[6:] for _ in range(200)}

    assert not ours & {theirs[at + 6 : at + 16] for at in range(0, len(theirs), 16)}


def test_a_keyed_id_is_a_uuid_of_version_8() -> None:
    made = keyed_job_id("key", "m:t", DIGEST, 1)

    assert (made.version, made.variant) == (8, uuid.RFC_4122)


def test_a_keyed_id_never_changes_between_releases() -> None:
    # Written down: with another value every key of every user would run again.
    made = keyed_job_id("key", "m:t", DIGEST, 1)

    assert str(made) == "88659139-62a6-8996-a878-ab7369ce6ed7"


def test_key_task_arguments_and_number_all_count() -> None:
    made = {
        keyed_job_id("key", "m:t", DIGEST, 1),
        keyed_job_id("kez", "m:t", DIGEST, 1),
        keyed_job_id("key", "m:u", DIGEST, 1),
        keyed_job_id("key", "m:t", b"e" * 32, 1),
        keyed_job_id("key", "m:t", DIGEST, 2),
    }

    assert len(made) == 5


def submit(executor: DurableExecutor, fn: lw.Task[..., Any], *args: Any, **kwargs: Any) -> Any:
    return executor.submit(fn.options(job_id=ID), *args, **kwargs)


def test_an_id_of_another_task_is_refused(kept: DurableExecutor) -> None:
    submit(kept, square, 3)

    with pytest.raises(lw.UsageError, match=f"{ID} .* is face.jobs:square, and face.jobs:add was"):
        submit(kept, add, 3)

    assert len(kept.store.jobs()) == 1


@pytest.mark.parametrize("kwargs", [{"b": 4}, {"b": 5.0}, {}])
def test_an_id_of_other_arguments_is_refused(kept: DurableExecutor, kwargs: Any) -> None:
    submit(kept, add, 3, b=5)

    with pytest.raises(lw.UsageError, match=r"add\(a=3, b=5\), and face.jobs:add\(a=3"):
        submit(kept, add, 3, **kwargs)


def test_an_id_is_refused_in_a_coroutine_too(kept: DurableExecutor) -> None:
    submit(kept, square, 3)

    with pytest.raises(lw.UsageError, match="belongs to another call"):
        asyncio.run(_submit_async(kept, 4))


async def _submit_async(executor: DurableExecutor, n: int) -> Any:
    return await executor.submit_async(square.options(job_id=ID), n)


def test_arguments_that_mean_the_same_are_the_same_call(kept: DurableExecutor) -> None:
    submit(kept, add, 3)

    submit(kept, add, 3, 0)
    submit(kept, add, b=0, a=3)

    assert len(kept.store.jobs()) == 1


def test_arguments_that_cannot_be_compared_are_taken_for_the_same(url: str) -> None:
    with DurableExecutor(url, authkey=b"sixteen bytes or more") as executor:
        submit(executor, square, Opaque(1))
        submit(executor, square, Opaque(2))
        submit(executor, square, executor.submit(square, 3))

        assert len(executor.store.jobs()) == 2
