"""Jobs for workers of the tests beside this: their tasks run in threads of this process."""

import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightwork.codec import Codec, Subject
from lightwork.durable.ids import new_job_id
from lightwork.model import NewJob, State
from lightwork.pool.call.current import current
from lightwork.retry import Later
from lightwork.store.contract import Store
from lightwork.tasks.task import Task, make_policy, task
from lightwork.work.service import Worker
from waiting import wait_until

CODEC = Codec()
ran: list[int] = []
entered = threading.Event()
leave = threading.Event()
# Where tasks find the store of the test.
others: list[Store] = []


@task
def note(n: int) -> int:
    ran.append(n)
    return n


@task
def block() -> None:
    entered.set()
    leave.wait(60)


@task(retries=1, backoff=0.02)
def fail_once() -> None:
    ran.append(0)
    if len(ran) == 1:
        raise OSError("once")


@task
def snooze_once(seconds: float) -> int:
    ran.append(current().attempt)
    if len(ran) == 1:
        raise Later(seconds)
    return current().attempt


@task
def grow(size: int) -> bytes:
    entered.set()
    leave.wait(20)
    return b"x" * size


@task
def wait_for_another(job_id: str) -> None:
    """Wait for another job, as a parent does that has submitted it."""
    entered.set()
    (store,) = others
    wait_for(store, uuid.UUID(job_id), State.SUCCEEDED)


@task
def wait_for_file(path: str) -> None:
    while not Path(path).exists():
        threading.Event().wait(0.005)


TASKS = (note, block, fail_once, snooze_once, grow, wait_for_another, wait_for_file)


def new(fn: Task[..., Any], *args: Any, **policy: Any) -> NewJob:
    job_id = new_job_id()
    payload = CODEC.encode_call(Subject(job_id, fn.name), args, {}, fn=fn.fn)
    return NewJob(id=job_id, task=fn.name, payload=payload, policy=make_policy(fn.policy, **policy))


def submit(store: Store, fn: Task[..., Any], *args: Any, **policy: Any) -> uuid.UUID:
    job = new(fn, *args, **policy)
    store.submit([job])
    return job.id


def wait_for(store: Store, job_id: uuid.UUID, *states: State) -> None:
    wait_until(lambda: store.states([job_id])[job_id] in states, f"{states}")


def count_turns(worker: Worker) -> Callable[[], int]:
    count = [0]
    turn = worker._loop._turn

    def counted() -> None:
        count[0] += 1
        turn()

    worker._loop._turn = counted  # type: ignore[method-assign]
    return lambda: count[0]
