"""DurableExecutor: one job, from submit to its outcome."""

import asyncio
import sqlite3
import time
import uuid
import weakref
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest

from face.jobs import (
    Opaque,
    Point,
    add,
    facts,
    fail_with,
    half_done,
    invert,
    make_opaque,
    mirror,
    note,
    note_then_die,
    plain,
    run_until_asked,
    same,
    sleep,
    square,
    succeed_in,
    trap,
    wait_for,
)
from lightwork.durable.executor import DurableExecutor
from lightwork.durable.future import DurableFuture
from lightwork.errors import JobFailed, JobNotFound, PayloadError, UsageError
from lightwork.model import State
from lightwork.pool.call.future import Future
from lightwork.tasks.task import task
from lightwork.work.service import Worker
from waiting import wait_until

pytestmark = pytest.mark.process


def id_of(future: Future[Any]) -> uuid.UUID:
    assert isinstance(future, DurableFuture)
    return future.job_id


def state_of(executor: DurableExecutor, future: Future[Any]) -> State:
    return executor.store.states([id_of(future)])[id_of(future)]


def test_a_job_returns_its_result(shared: DurableExecutor) -> None:
    assert shared.submit(square, 20).result(20) == 400


def test_keywords_of_any_name_reach_the_task(shared: DurableExecutor) -> None:
    assert shared.submit(add, 1, b=2).result(20) == 3


def test_annotated_types_survive_both_ways(shared: DurableExecutor) -> None:
    assert shared.submit(mirror, Point(1, 2)).result(20) == Point(2, 1)


def test_builtin_types_survive_without_annotations(shared: DurableExecutor) -> None:
    value = {"a": (1, 2.5, None), "b": {3}, "c": b"bytes"}

    assert shared.submit(same, value).result(20) == value


def test_a_job_knows_its_id_and_attempt(shared: DurableExecutor) -> None:
    future = shared.submit(facts)

    job_id, attempt, worker = future.result(20)
    assert (job_id, attempt) == (str(id_of(future)), 1)
    assert worker.startswith("lightwork-child")


def test_futures_work_with_the_standard_librarys_wait(shared: DurableExecutor) -> None:
    jobs = [shared.submit(square, number) for number in range(3)]

    done, pending = futures.wait(jobs, timeout=20)

    assert (len(done), len(pending)) == (3, 0)


def test_futures_work_with_the_standard_librarys_as_completed(shared: DurableExecutor) -> None:
    jobs = [shared.submit(square, number) for number in range(3)]

    assert {job.result() for job in futures.as_completed(jobs, timeout=20)} == {0, 1, 4}


def test_a_future_can_be_awaited(shared: DurableExecutor) -> None:
    async def run() -> int:
        return await shared.submit(square, 5)

    assert asyncio.run(run()) == 25


def test_many_jobs_are_submitted_in_one_go(shared: DurableExecutor) -> None:
    jobs = shared.submit_many(add, [(1, 2), (3,), (4, 5)])

    assert [job.result(20) for job in jobs] == [3, 3, 9]


def test_nothing_is_kept_of_jobs_that_are_over(shared: DurableExecutor) -> None:
    jobs = shared.submit_many(square, [(number,) for number in range(50)])
    futures.wait(jobs, timeout=20)
    wait_until(lambda: not shared._watch.waiting(), "the last outcome")
    last = weakref.ref(jobs[-1])

    del jobs

    # Not through the collector: a cycle would keep results for who knows how long.
    wait_until(lambda: last() is None, "the end of the future", within=5)
    assert not shared._futures._elsewhere


# Failure


def test_a_failed_job_tells_what_went_wrong_as_attributes(shared: DurableExecutor) -> None:
    future = shared.submit(invert, 0)

    with pytest.raises(JobFailed) as failure:
        future.result(20)

    error = failure.value
    assert (error.error_type, error.error_text) == ("ZeroDivisionError", "division by zero")
    assert (error.job_id, error.attempts) == (str(id_of(future)), 1)
    assert "return 1 / n" in error.traceback


def test_a_failing_job_is_retried_until_it_succeeds(shared: DurableExecutor) -> None:
    assert shared.submit(succeed_in, 3).result(20) == 3


def test_retries_are_bounded(shared: DurableExecutor) -> None:
    with pytest.raises(JobFailed) as failure:
        shared.submit(succeed_in.options(retries=1), 5).result(20)

    assert failure.value.attempts == 2


@pytest.mark.parametrize(("kind", "attempts"), [("os", 6), ("value", 1)])
def test_only_the_listed_errors_are_retried(
    shared: DurableExecutor, kind: str, attempts: int
) -> None:
    with pytest.raises(JobFailed) as failure:
        shared.submit(fail_with, kind).result(20)

    assert failure.value.attempts == attempts


def test_a_retry_waits_for_its_backoff(shared: DurableExecutor) -> None:
    started = time.monotonic()

    shared.submit(succeed_in.options(backoff=0.4), 2).result(20)

    # Half of it is jitter.
    assert time.monotonic() - started >= 0.2


def test_a_job_past_its_timeout_is_killed(shared: DurableExecutor) -> None:
    with pytest.raises(JobFailed) as failure:
        shared.submit(sleep.options(timeout=0.2), 60).result(20)

    assert failure.value.error_type == "TimeoutError"


def test_a_job_that_kills_its_child_three_times_fails_as_lost(
    shared: DurableExecutor, tmp_path: Path
) -> None:
    lines = tmp_path / "lines"

    with pytest.raises(JobFailed) as failure:
        shared.submit(note_then_die, str(lines)).result(20)

    assert (failure.value.error_type, failure.value.attempts) == ("WorkerLost", 3)
    assert lines.read_text() == "ran\n" * 3


def test_a_job_that_must_not_run_twice_does_not(shared: DurableExecutor, tmp_path: Path) -> None:
    lines = tmp_path / "lines"

    with pytest.raises(JobFailed) as failure:
        shared.submit(note_then_die.options(idempotent=False), str(lines)).result(20)

    assert failure.value.error_type == "WorkerLost"
    assert lines.read_text() == "ran\n"


def test_a_child_that_is_killed_costs_one_attempt_of_its_own_job(
    shared: DurableExecutor, tmp_path: Path
) -> None:
    others = [shared.submit(square, number) for number in range(50)]
    guilty = shared.submit(note_then_die.options(max_crashes=1), str(tmp_path / "lines"))

    assert isinstance(guilty.exception(20), JobFailed)
    assert [other.result(20) for other in others] == [number**2 for number in range(50)]
    views = [shared.store.job(id_of(other)) for other in others]
    assert sum(view.crashes for view in views if view) == 0


# When and in which order


def test_a_delayed_job_does_not_run_early(shared: DurableExecutor) -> None:
    started = time.monotonic()

    shared.submit(square.options(delay=0.5), 2).result(20)

    assert time.monotonic() - started >= 0.5


def test_higher_priorities_run_first(url: str, tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    with DurableExecutor(url) as submitter:
        for priority in (1, 3, 2):
            submitter.submit(note.options(priority=priority), str(lines), str(priority))
        with DurableExecutor(url, workers=1) as executor:
            # The lowest of all: when it is done, they are.
            executor.submit(note.options(priority=-1), str(lines), "end").result(20)

    assert lines.read_text().split() == ["3", "2", "1", "end"]


def test_progress_can_be_seen_in_the_store_while_the_job_runs(
    shared: DurableExecutor, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    future = shared.submit(half_done, str(gate))

    def progress() -> tuple[float, float, str]:
        view = shared.store.job(id_of(future))
        assert view is not None
        return view.progress.done, view.progress.total, view.progress.note

    wait_until(lambda: progress() == (1, 2, "half"), "progress in the store")
    gate.touch()
    future.result(20)


# Cancelling


def test_a_waiting_job_can_be_cancelled(kept: DurableExecutor) -> None:
    future = kept.submit(square, 1)

    assert future.cancel()
    assert future.cancelled()
    assert state_of(kept, future) is State.CANCELLED


def test_cancelling_again_and_again_is_harmless(kept: DurableExecutor) -> None:
    future = kept.submit(square, 1)

    assert [future.cancel() for _ in range(3)] == [True] * 3


def test_many_waiting_jobs_can_be_cancelled_while_outcomes_are_watched(
    kept: DurableExecutor,
) -> None:
    jobs = [kept.submit(square, number) for number in range(100)]

    assert all(job.cancel() for job in jobs)
    assert all(job.cancelled() for job in jobs)


def test_a_finished_job_cannot_be_cancelled(shared: DurableExecutor) -> None:
    future = shared.submit(square, 1)
    future.result(20)

    assert not future.cancel(running="kill")


def test_a_running_job_is_left_alone_by_default(shared: DurableExecutor, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    future = shared.submit(wait_for, str(gate))
    wait_until(Path(f"{gate}.entered").exists, "the job to run")

    assert not future.cancel()
    gate.touch()
    assert future.result(20) == "let go"


def test_a_running_job_can_be_asked_to_stop(shared: DurableExecutor, tmp_path: Path) -> None:
    future = shared.submit(run_until_asked, str(tmp_path / "entered"))
    wait_until((tmp_path / "entered").exists, "the job to run")

    assert not future.cancel(running="ask")
    assert future.result(20) == "asked"


def test_a_running_job_can_be_killed(shared: DurableExecutor, tmp_path: Path) -> None:
    future = shared.submit(wait_for, str(tmp_path / "gate"))
    wait_until((tmp_path / "gate.entered").exists, "the job to run")

    future.cancel(running="kill")

    with pytest.raises(futures.CancelledError):
        future.result(20)
    assert state_of(shared, future) is State.CANCELLED


# What is refused before anything is kept


def test_a_plain_function_is_refused_with_the_line_to_add(kept: DurableExecutor) -> None:
    with pytest.raises(UsageError, match=r"@lw\.task\n    def plain"):
        kept.submit(plain, 1)

    assert kept.store.jobs() == []


def test_a_task_inside_a_function_is_refused(kept: DurableExecutor) -> None:
    @task
    def inner() -> None: ...

    with pytest.raises(UsageError, match="top level"):
        kept.submit(inner)

    assert kept.store.jobs() == []


def test_a_value_that_is_not_plain_is_refused_without_a_key(kept: DurableExecutor) -> None:
    with pytest.raises(PayloadError, match="authkey"):
        kept.submit(same, Opaque(1))

    assert kept.store.jobs() == []


def test_one_bad_value_among_many_keeps_none_of_them(kept: DurableExecutor) -> None:
    with pytest.raises(PayloadError):
        kept.submit_many(same, [(1,), (Opaque(1),)])

    assert kept.store.jobs() == []
    assert kept._watch.waiting() == []


# Pickles


def test_any_value_travels_with_a_key(url: str) -> None:
    with DurableExecutor(url, workers=1, authkey=b"k" * 32) as executor:
        assert executor.submit(same, Opaque(1)).result(20) == Opaque(1)
        assert executor.submit(make_opaque).result(20) == Opaque(7)


def test_a_result_that_is_not_plain_fails_its_job_without_a_key(shared: DurableExecutor) -> None:
    with pytest.raises(JobFailed) as failure:
        shared.submit(make_opaque).result(20)

    assert failure.value.error_type.endswith("PayloadError")


@pytest.mark.parametrize("authkey", [b"", b"k" * 32])
def test_a_pickle_without_the_right_signature_is_not_loaded(
    url: str, tmp_path: Path, authkey: bytes
) -> None:
    sprung = tmp_path / "sprung"
    with DurableExecutor(url) as submitter:
        future = submitter.submit(same, 1)
        with sqlite3.connect(tmp_path / "work.db") as rows:
            payload = b"\x02" + bytes(32) + trap(str(sprung))
            rows.execute("update job set payload = ?", (payload,))
        rows.close()

        with DurableExecutor(url, workers=1, authkey=authkey):
            error = future.exception(20)

    assert isinstance(error, JobFailed)
    assert error.error_type.endswith("PayloadError")
    assert not sprung.exists()


def test_a_signed_call_that_is_moved_to_another_task_is_not_loaded(
    url: str, tmp_path: Path
) -> None:
    key = b"k" * 32
    with DurableExecutor(url, authkey=key) as submitter:
        future = submitter.submit(same, Opaque(1))
        with sqlite3.connect(tmp_path / "work.db") as rows:
            rows.execute("update job set task = ?", (square.name,))
        rows.close()

        with DurableExecutor(url, workers=1, authkey=key):
            error = future.exception(20)

    assert isinstance(error, JobFailed)
    assert "not signed for" in error.error_text


@pytest.mark.parametrize("make", [DurableExecutor, Worker])
@pytest.mark.parametrize("way", ["argument", "environment"])
def test_a_key_that_can_be_guessed_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch, make: Callable[..., object], way: str
) -> None:
    given: dict[str, bytes] = {"authkey": b"k" * 15} if way == "argument" else {}
    if way == "environment":
        monkeypatch.setenv("LIGHTWORK_AUTHKEY", "k" * 15)

    with pytest.raises(UsageError, match="holds 15 bytes; expected at least 16"):
        make(url, **given)


def test_a_result_without_the_right_signature_is_not_loaded(url: str, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    with DurableExecutor(url, workers=1, authkey=b"k" * 32) as executor:
        future = executor.submit(square, 1)
        future.result(20)

    # Another executor: the worker of the first may still be about to tell what it recorded.
    with DurableExecutor(url, authkey=b"k" * 32) as executor:
        with sqlite3.connect(tmp_path / "work.db") as rows:
            result = b"\x02" + bytes(32) + trap(str(sprung))
            rows.execute("update outcome set result = ?", (result,))
        rows.close()

        with pytest.raises(PayloadError, match="not signed"):
            executor.future(id_of(future)).result(20)

    assert not sprung.exists()


# Finding jobs again


def test_a_job_is_found_again_by_another_executor(url: str) -> None:
    with DurableExecutor(url) as submitter:
        job_id = id_of(submitter.submit(square, 6))

    with DurableExecutor(url, workers=1) as executor:
        assert executor.future(job_id).result(20) == 36
        assert executor.future(str(job_id)).result(20) == 36


def test_two_futures_of_one_job_both_hear_of_its_outcome(url: str) -> None:
    with DurableExecutor(url) as submitter:
        first = submitter.submit(square, 6)
        second = submitter.future(id_of(first))
        with DurableExecutor(url, workers=1):
            assert (first.result(20), second.result(20)) == (36, 36)


def test_an_id_that_was_never_submitted_is_not_found(shared: DurableExecutor) -> None:
    job_id = uuid.uuid4()

    with pytest.raises(JobNotFound) as failure:
        shared.future(job_id)

    assert failure.value.job_id == str(job_id)


def test_a_text_that_is_no_id_is_refused(shared: DurableExecutor) -> None:
    with pytest.raises(UsageError, match="UUID"):
        shared.future("job-17")


def test_the_future_of_a_job_that_was_pruned_ends(kept: DurableExecutor, tmp_path: Path) -> None:
    future, other = kept.submit(square, 1), kept.submit(square, 2)

    with sqlite3.connect(tmp_path / "work.db") as rows:
        rows.execute("delete from job where id = ?", (id_of(future).bytes,))
    rows.close()

    with pytest.raises(JobNotFound):
        future.result(20)
    assert not other.done()
