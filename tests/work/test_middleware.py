"""Middleware: context managers around each attempt, which see its outcome and cannot change it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from lightwork.errors import UsageError
from lightwork.model import Attempt, State
from lightwork.pool.call.current import current
from lightwork.store.contract import Store
from lightwork.tasks.task import Task, task
from lightwork.work.middleware.around import Middleware
from lightwork.work.service import Worker
from work.jobs import submit, wait_for

said: list[str] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    said.clear()


@task
def say(word: str) -> str:
    said.append(word)
    return word


@task
def fail() -> None:
    said.append("task")
    raise ValueError("of the task")


@task(retries=2, backoff=0.0)
def say_retried(word: str) -> str:
    said.append(word)
    return word


@task
async def say_async(word: str) -> str:
    await asyncio.sleep(0)
    said.append(word)
    return word


TASKS = (say, fail, say_retried, say_async)


def noting(name: str) -> Middleware:
    @contextlib.contextmanager
    def note(attempt: Attempt, task: Task[..., Any]) -> Iterator[None]:
        said.append(f"{name} enters {task.fn.__name__} {attempt.policy.queue} {attempt.number}")
        try:
            yield
        except BaseException as error:
            said.append(f"{name} sees {error}")
            raise
        said.append(f"{name} leaves")

    return note


@contextlib.contextmanager
def hide(attempt: Attempt, task: Task[..., Any]) -> Iterator[None]:
    with contextlib.suppress(Exception):
        yield


@contextlib.contextmanager
def fail_first(attempt: Attempt, task: Task[..., Any]) -> Iterator[None]:
    if attempt.number == 1:
        raise ConnectionError("no database")
    yield


@contextlib.contextmanager
def fail_last(attempt: Attempt, task: Task[..., Any]) -> Iterator[None]:
    yield
    raise ConnectionError("no commit")


@contextlib.asynccontextmanager
async def note_async(attempt: Attempt, task: Task[..., Any]) -> AsyncIterator[None]:
    said.append("async enters")
    await asyncio.sleep(0)
    yield
    said.append("async leaves")


@contextlib.contextmanager
def know(attempt: Attempt, task: Task[..., Any]) -> Iterator[None]:
    said.append(f"{current().job_id == str(attempt.job_id)} {current().attempt}")
    yield


def run(store: Store, fn: Task[..., Any], *args: Any, middleware: list[Any]) -> Any:
    """Run one job to its end; return its outcome."""
    job_id = submit(store, fn, *args)
    worker = Worker(store, executor="threads:1", tasks=TASKS, middleware=middleware)
    worker.start()
    wait_for(store, job_id, State.SUCCEEDED, State.FAILED)
    worker.stop()
    worker.join()
    return store.outcomes([job_id])[job_id]


def test_the_first_is_outermost(store: Store) -> None:
    outcome = run(store, say, "task", middleware=[noting("one"), noting("two")])

    assert outcome.state == State.SUCCEEDED
    assert said == [
        "one enters say default 1",
        "two enters say default 1",
        "task",
        "two leaves",
        "one leaves",
    ]


def test_what_the_task_raises_passes_through_all(store: Store) -> None:
    outcome = run(store, fail, middleware=[noting("one"), noting("two")])

    assert said[2:] == ["task", "two sees of the task", "one sees of the task"]
    assert (outcome.error.type, outcome.error.text) == ("ValueError", "of the task")


def test_a_failure_cannot_be_hidden(store: Store) -> None:
    outcome = run(store, fail, middleware=[hide])

    assert outcome.state == State.FAILED
    assert outcome.error.text == "of the task"


def test_one_that_fails_at_the_beginning_fails_the_attempt_and_says_so(store: Store) -> None:
    outcome = run(store, say, "task", middleware=[noting("one"), fail_first])

    assert "task" not in said
    assert said[1:] == ["one sees no database"]
    assert outcome.error.type == "ConnectionError"
    assert outcome.error.text == "middleware fail_first failed before the task began: no database"


def test_a_failure_at_the_beginning_is_retried_as_the_task_says(store: Store) -> None:
    outcome = run(store, say_retried, "task", middleware=[fail_first])

    assert (outcome.state, outcome.attempt) == (State.SUCCEEDED, 2)
    assert said == ["task"]


def test_one_that_fails_at_the_end_fails_the_attempt_and_says_so(store: Store) -> None:
    outcome = run(store, say, "task", middleware=[noting("one"), fail_last])

    assert outcome.state == State.FAILED
    assert (
        outcome.error.text == "middleware fail_last failed after the task had returned: no commit"
    )


def test_current_is_known_inside(store: Store) -> None:
    run(store, say, "task", middleware=[know])

    assert said[0] == "True 1"


def test_coroutines_have_asynchronous_and_other_ones(store: Store) -> None:
    outcome = run(store, say_async, "task", middleware=[noting("one"), note_async])

    assert outcome.state == State.SUCCEEDED
    assert said == [
        "one enters say_async default 1",
        "async enters",
        "task",
        "async leaves",
        "one leaves",
    ]


def test_an_asynchronous_one_around_a_plain_function_is_told(store: Store) -> None:
    outcome = run(store, say, "task", middleware=[note_async])

    assert outcome.error.type == "lightwork.UsageError"
    assert "is no coroutine function" in outcome.error.text
    assert not said


def test_one_that_returns_no_context_manager_is_told(store: Store) -> None:
    def forget(attempt: Attempt, task: Task[..., Any]) -> None:
        pass

    outcome = run(store, say, "task", middleware=[forget])

    assert "forget failed before the task began: it must return a context" in outcome.error.text


def test_what_cannot_be_called_is_refused_before_anything_runs(store: Store) -> None:
    with pytest.raises(UsageError, match="middleware expects a function"):
        Worker(store, tasks=TASKS, middleware=["traced"])  # type: ignore[list-item]


@pytest.mark.parametrize("fn", [say, say_async], ids=["sync", "async"])
def test_without_middleware_the_attempt_stays_at_home(
    store: Store, fn: Task[..., Any], make: Callable[..., Worker]
) -> None:
    outcome = run(store, fn, "task", middleware=[])

    assert outcome.state == State.SUCCEEDED
