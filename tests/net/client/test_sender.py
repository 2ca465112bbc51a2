"""What nobody waits for goes out in order, many together, and each hears for itself."""

import threading
import uuid
from concurrent.futures import Future

import pytest

from lightwork.errors import StoreError, UsageError
from lightwork.model import NewJob, State
from lightwork.net.client.client import ServerStore
from lightwork.net.client.sender import Sender, Told
from lightwork.store.contract import Store
from store.steps import new_job

NOTHING = Told(None, None)


def test_submits_behind_a_call_that_is_under_way_go_out_together() -> None:
    begun, go_on = threading.Event(), threading.Event()
    sizes: list[int] = []

    def submit(jobs: object, _: Told) -> list[bool]:
        sizes.append(len(list(jobs)))  # type: ignore[call-overload]
        begun.set()
        go_on.wait(10)
        return [True] * sizes[-1]

    sender = Sender(submit, "here")
    first = sender.submit([new_job()], NOTHING)
    assert begun.wait(10)
    others = [sender.submit([new_job(), new_job()], NOTHING) for _ in range(5)]
    cancelled = sender.submit([new_job()], NOTHING)
    assert cancelled.cancel()
    go_on.set()
    sender.close()

    assert sizes == [1, 10]
    assert first.result() == [True]
    assert [one.result() for one in others] == [[True, True]] * 5


def test_one_that_is_refused_costs_no_other(client: ServerStore, database: Store) -> None:
    good, bad = new_job(), new_job()
    bad = NewJob(id=bad.id, task=bad.task, payload=b"", after=(uuid.uuid4(),))
    taken: dict[uuid.UUID, uuid.UUID] = {}
    futures: list[Future[list[bool]]] = [
        client.submit_nowait([job], taken=taken) for job in (good, bad, new_job())
    ]

    assert futures[0].result(30) == [True]
    with pytest.raises(UsageError, match="not in this store"):
        futures[1].result(30)
    assert futures[2].result(30) == [True]
    assert len(database.jobs()) == 2


def test_a_cancel_does_not_overtake_its_submit(client: ServerStore) -> None:
    job = new_job()
    client.submit_nowait([job])

    after = client.cancel_nowait([job.id], running="no").result(30)

    assert after == {job.id: State.CANCELLED}


def test_what_was_posted_is_sent_before_the_end(client: ServerStore, database: Store) -> None:
    jobs = [new_job() for _ in range(50)]
    for job in jobs:
        client.submit_nowait([job])
    client.close()

    assert len(database.jobs(limit=100)) == 50
    with pytest.raises(StoreError, match="was closed"):
        client.submit_nowait([new_job()])
