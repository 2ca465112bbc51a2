"""Values beyond what the server takes in one packet: it would end the connection, again and again."""

import pytest

from lightwork.durable.executor import DurableExecutor
from lightwork.errors import JobFailed, PayloadError
from lightwork.lifecycle import Succeeded
from lightwork.store.sqlstore import SqlStore
from lightwork.tasks.task import task
from store.steps import begin_one, new_job, registered


@task
def zeros(count: int) -> bytes:
    return bytes(count)


@task
def length(value: bytes) -> int:
    return len(value)


def test_the_largest_value_is_kept_as_payload_and_as_result(store: SqlStore) -> None:
    value = bytes(store.largest_value)
    job = new_job(payload=value)
    worker = registered(store)

    store.submit([new_job(), job, new_job()])
    small, large = begin_one(store, worker), begin_one(store, worker)
    assert store.ack(worker, [(small, Succeeded(value)), (large, Succeeded(value))]) == []

    assert store.outcomes([job.id])[job.id].result == value
    assert store.payloads([job.id], largest=1 << 30)[job.id] == value


def test_a_result_that_is_too_large_fails_its_job_and_no_other(url: str) -> None:
    with DurableExecutor(url, workers="threads:2") as executor:
        large = executor.submit(zeros, executor.store.largest_value + 1)
        others = [executor.submit(zeros, number) for number in range(5)]

        with pytest.raises(JobFailed, match="a payload may have") as failed:
            large.result(60)
        assert [len(other.result(60)) for other in others] == [0, 1, 2, 3, 4]
        with pytest.raises(PayloadError, match="a payload may have"):
            executor.submit(length, bytes(executor.store.largest_value + 1))

    assert failed.value.attempts == 1
