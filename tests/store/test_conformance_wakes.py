"""What every database tells those who wait for work: that a job may be ready, and not that one has ended."""

import functools
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from lightwork.lifecycle import AttemptEnd, Failed, Retried, Succeeded
from lightwork.model import Attempt, Limit, NewJob
from lightwork.store.sqlstore import SqlStore
from store.steps import ERROR, LANES, new_job, registered

pytestmark = pytest.mark.database


def is_news_to_workers(
    store: SqlStore, worker: uuid.UUID, *ends: tuple[Attempt, AttemptEnd]
) -> bool:
    """Ack, and return what the database was told of it."""
    told: list[bool] = []
    write = store.database.write

    def note(*args: Any, is_end: Callable[[Any], bool], **options: Any) -> Any:
        result = write(*args, is_end=is_end, **options)
        told.append(not is_end(result))
        return result

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store.database, "write", note)
        store.ack(worker, ends)
    # The first may have been a try that changed nothing.
    return told[-1]


def claimed(store: SqlStore, worker: uuid.UUID, *jobs: NewJob) -> list[Attempt]:
    store.submit(list(jobs))
    return store.claim(worker, lanes=LANES, limit=len(jobs))


@pytest.mark.parametrize("end", [Succeeded(b""), Failed(ERROR)])
def test_the_end_of_a_job_is_no_news_to_workers(store: SqlStore, end: AttemptEnd) -> None:
    worker = registered(store)
    one, two, three = claimed(store, worker, *(new_job() for _ in range(3)))
    is_told = functools.partial(is_news_to_workers, store, worker)

    # MariaDB is not asked who waits: to look takes as long.
    expected = store.url.startswith("mysql") or store.url.startswith("mariadb")
    assert is_told((one, end)) is expected
    assert is_told((two, end), (three, end)) is expected


def test_the_end_of_a_job_for_which_another_waits_is_news_to_workers(store: SqlStore) -> None:
    worker, parent = registered(store), new_job()
    (attempt,) = claimed(store, worker, parent)
    child = new_job()
    store.submit([NewJob(id=child.id, task=child.task, payload=b"", after=(parent.id,))])

    assert is_news_to_workers(store, worker, (attempt, Succeeded(b"")))


def test_the_end_of_a_job_in_a_queue_with_a_limit_is_news_to_workers(store: SqlStore) -> None:
    worker = registered(store)
    store.limit_queue("default", 1)
    (attempt,) = claimed(store, worker, new_job())

    assert is_news_to_workers(store, worker, (attempt, Succeeded(b"")))


def test_the_end_of_a_job_under_a_limit_is_news_to_workers(store: SqlStore) -> None:
    worker, plain = registered(store), new_job()
    limited = NewJob(id=plain.id, task=plain.task, payload=b"", limits=(Limit("key", running=1),))
    (attempt,) = claimed(store, worker, limited)

    assert is_news_to_workers(store, worker, (attempt, Succeeded(b"")))


def test_an_attempt_that_is_to_be_made_again_is_news_to_workers(store: SqlStore) -> None:
    worker = registered(store)
    one, two = claimed(store, worker, new_job(), new_job())

    assert is_news_to_workers(store, worker, (one, Retried(ERROR, 0.0)), (two, Succeeded(b"")))
