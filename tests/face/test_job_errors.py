"""What a failed job tells: the exception itself where this program ran it, else its text."""

import traceback
from collections.abc import Iterator

import pytest

from face.error_jobs import (
    NASTY,
    OwnConstructor,
    answer,
    fail_nastily,
    fail_nastily_async,
    fail_oddly,
)
from lightwork.durable.executor import DurableExecutor
from lightwork.errors import JobFailed
from lightwork.pool.call.future import Future
from lightwork.tasks.task import Task

pytestmark = pytest.mark.process

WAIT = 30


@pytest.fixture(scope="module", params=["processes:1", "threads:1"])
def ours(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DurableExecutor]:
    path = tmp_path_factory.mktemp("errors") / "work.db"
    with DurableExecutor(f"sqlite:///{path}", workers=request.param) as executor:
        yield executor


def errors_of(executor: DurableExecutor) -> Iterator[BaseException | None]:
    yield executor.submit(fail_oddly, 7).exception(WAIT)
    yield from executor.map(fail_oddly, [7], errors="return", timeout=WAIT)


def test_the_cause_is_the_exception_where_the_own_worker_ran_the_job(
    ours: DurableExecutor,
) -> None:
    for error in errors_of(ours):
        assert isinstance(error, JobFailed)
        cause = error.__cause__
        assert isinstance(cause, OwnConstructor)
        assert (cause.code, str(cause)) == (7, "odd (7)")
        assert error.error_type.endswith("OwnConstructor")


def test_the_frames_of_the_user_are_shown_once(ours: DurableExecutor) -> None:
    for error in errors_of(ours):
        assert isinstance(error, JobFailed)
        text = "".join(traceback.format_exception(error))

        assert text.count(", in fail_oddly") == 1
        assert "src/lightwork" not in text
        assert error.traceback.count(", in fail_oddly") == 1
        assert "src/lightwork" not in error.traceback


def test_a_job_that_another_worker_ran_tells_its_error_as_text(url: str) -> None:
    with DurableExecutor(url) as submitter, DurableExecutor(url, workers=1):
        error = submitter.submit(fail_oddly, 7).exception(WAIT)

    assert isinstance(error, JobFailed)
    assert error.__cause__ is None
    assert str(error).count(", in fail_oddly") == 1


def test_an_outcome_from_the_store_has_no_exception(url: str) -> None:
    with DurableExecutor(url, workers=1) as executor:
        first: Future[object] = executor.submit(fail_oddly, 7)
        assert isinstance(first.exception(WAIT), JobFailed)

        again = executor.future(first.job_id).exception(WAIT)  # type: ignore[attr-defined]

    assert isinstance(again, JobFailed)
    assert again.__cause__ is None


@pytest.mark.parametrize("task", [fail_nastily, fail_nastily_async], ids=["plain", "coroutine"])
@pytest.mark.parametrize("position", range(len(NASTY)), ids=[kind.__name__ for kind in NASTY])
def test_no_exception_keeps_a_job_from_its_outcome(
    ours: DurableExecutor, position: int, task: Task[[int], object]
) -> None:
    error = ours.submit(task, position).exception(WAIT)

    assert isinstance(error, JobFailed)
    assert error.attempts == 2
    assert type(error.__cause__) is NASTY[position]
    assert ours.submit(answer, 4).result(WAIT) == 4


def test_the_end_of_the_worker_reaches_all_who_wait(url: str) -> None:
    with DurableExecutor(url) as executor:
        futures = [executor.submit(answer, number) for number in range(3)]
        # As a program may do; the others are told all the same.
        futures[1].set_result(0)

        executor._watch.fail(RuntimeError("no worker any more"))

        for future in (futures[0], futures[2]):
            assert isinstance(future.exception(WAIT), RuntimeError)
