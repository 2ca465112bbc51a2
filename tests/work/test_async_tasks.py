"""Tasks that are coroutine functions: their attempts run on a loop of the worker's pool."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from lightwork.codec import Codec, Subject
from lightwork.errors import UsageError
from lightwork.lifecycle import AttemptEnd, Cancelled, Failed, Released, Succeeded
from lightwork.model import Attempt
from lightwork.pool.call.current import current
from lightwork.pool.open_pool import open_pool
from lightwork.tasks.task import Task, task
from lightwork.work.in_flight import InFlight
from lightwork.work.runner import make_runner
from waiting import wait_until
from work.made import attempt

CODEC = Codec()
KINDS = ["inline", "threads:1", "processes:1"]


@task
async def answer() -> int:
    await asyncio.sleep(0)
    return 42


@task
async def job_id() -> str:
    await asyncio.sleep(0)
    return current().job_id


@task
async def fail() -> None:
    await asyncio.sleep(0)
    raise ValueError("far away")


@task
async def cancel_itself() -> None:
    raise asyncio.CancelledError


@task
async def mark_and_sleep(path: str) -> None:
    with Path(path).open("a") as file:  # noqa: ASYNC230 - a few bytes
        file.write("begun\n")
    await asyncio.sleep(1000)


@task
async def numbers() -> AsyncIterator[int]:
    yield 1


@pytest.fixture(params=KINDS)
def held(request: pytest.FixtureRequest) -> Iterator[InFlight]:
    with open_pool(request.param) as executor:
        yield InFlight(executor, wake=lambda: None)
        executor.kill_workers()


@pytest.fixture(params=KINDS[1:])
def waiting(request: pytest.FixtureRequest) -> Iterator[InFlight]:
    with open_pool(request.param) as executor:
        yield InFlight(executor, wake=lambda: None)
        executor.kill_workers()


def start(held: InFlight, fn: Task[..., Any], *args: Any, **policy: Any) -> Attempt:
    subject = Subject(uuid.uuid4(), fn.name)
    made = attempt(fn.name, CODEC.encode_call(subject, args, {}, fn=fn.fn), **policy)
    held.start(made, make_runner(fn, CODEC, made.task))
    return made


def ends(held: InFlight, count: int = 1) -> list[AttemptEnd]:
    found: list[AttemptEnd] = []

    def has_all() -> bool:
        found.extend(end for _, end, _ in held.take_finished())
        return len(found) == count

    wait_until(has_all, f"{count} ends")
    return found


def test_an_attempt_awaits_its_coroutine(held: InFlight) -> None:
    made = start(held, answer)

    [end] = ends(held)

    assert isinstance(end, Succeeded)
    assert CODEC.decode_result(Subject(made.job_id, made.task), end.result) == 42


def test_current_is_the_job_s(held: InFlight) -> None:
    made = start(held, job_id)

    [end] = ends(held)

    assert isinstance(end, Succeeded)
    assert CODEC.decode_result(Subject(made.job_id, made.task), end.result) == str(made.job_id)


def test_what_it_raises_fails_the_job(held: InFlight) -> None:
    start(held, fail, retries=0)

    [end] = ends(held)

    assert isinstance(end, Failed)
    assert (end.error.type, end.error.text) == ("ValueError", "far away")


def test_a_coroutine_that_cancels_itself_has_failed(held: InFlight) -> None:
    start(held, cancel_itself, retries=0)

    [end] = ends(held)

    assert isinstance(end, Failed)
    assert end.error.type == "asyncio.exceptions.CancelledError"


def test_attempts_overlap_and_are_interrupted(waiting: InFlight, tmp_path: Path) -> None:
    path = tmp_path / "marks"
    for _ in range(5):
        start(waiting, mark_and_sleep, str(path))
    wait_until(lambda: path.exists() and len(path.read_text().split()) == 5, "all have begun")

    waiting.interrupt()

    assert ends(waiting, 5) == [Released()] * 5


def test_a_running_attempt_is_cancelled(waiting: InFlight, tmp_path: Path) -> None:
    path = tmp_path / "marks"
    made = start(waiting, mark_and_sleep, str(path))
    wait_until(path.exists, "it has begun")

    waiting.cancel(made.job_id, made.number, kill=True)

    assert ends(waiting) == [Cancelled()]


def test_a_timeout_fails_the_attempt(waiting: InFlight, tmp_path: Path) -> None:
    start(waiting, mark_and_sleep, str(tmp_path / "marks"), timeout=0.1, retries=0)

    [end] = ends(waiting)

    assert isinstance(end, Failed)
    assert end.error.type == "TimeoutError"


def test_an_async_generator_cannot_be_run() -> None:
    with pytest.raises(UsageError, match="async generator"):
        make_runner(numbers, CODEC, numbers.name)
