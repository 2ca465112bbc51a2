"""InFlight: what a worker's attempts become in a real pool of threads or children."""

import os
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from lightwork.codec import Codec, Subject
from lightwork.errors import PoolError
from lightwork.lifecycle import (
    AttemptEnd,
    Cancelled,
    Failed,
    Lost,
    Quarantined,
    Released,
    Succeeded,
)
from lightwork.model import Attempt
from lightwork.pool.call.current import current
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.tasks.task import Task, task
from lightwork.work.in_flight import InFlight
from lightwork.work.runner import Runner
from waiting import wait_until
from work.made import attempt

CODEC = Codec()
entered = threading.Event()
leave = threading.Event()


@task
def answer() -> int:
    return 42


@task
def block() -> bool:
    """Wait until it is let go; say whether it was asked to stop."""
    entered.set()
    leave.wait(20)
    return current().cancelled


@task
def sleep() -> None:
    time.sleep(60)


@task
def report() -> None:
    for done in range(100):
        current().progress(done + 1, 100)


@pytest.fixture
def single() -> Iterator[InFlight]:
    entered.clear()
    leave.clear()
    with ThreadExecutor(1) as executor:
        yield InFlight(executor, wake=lambda: None)
        leave.set()


@pytest.fixture
def child() -> Iterator[InFlight]:
    with ProcessExecutor(1) as executor:
        yield InFlight(executor, wake=lambda: None)
        executor.kill_workers()


def start(held: InFlight, fn: Task[..., Any], **policy: Any) -> Attempt:
    job_id = uuid.uuid4()
    subject = Subject(job_id, fn.name)
    made = attempt(fn.name, CODEC.encode_call(subject, (), {}, fn=fn.fn), **policy)
    held.start(made, Runner(fn, CODEC, made.task))
    return made


def ends(held: InFlight, count: int) -> dict[uuid.UUID, AttemptEnd]:
    found: dict[uuid.UUID, AttemptEnd] = {}

    def has_all() -> bool:
        found.update({made.job_id: end for made, end, _ in held.take_finished()})
        return len(found) == count

    wait_until(has_all, f"{count} ends")
    return found


def test_what_returns_succeeds_and_is_held_no_longer(single: InFlight) -> None:
    made = start(single, answer)

    end = ends(single, 1)[made.job_id]

    assert isinstance(end, Succeeded)
    assert CODEC.decode_result(Subject(made.job_id, made.task), end.result) == 42
    assert len(single) == 0


def test_handing_back_leaves_alone_what_runs(single: InFlight) -> None:
    running, waiting = start(single, block), start(single, answer)
    assert entered.wait(20)

    single.hand_back_waiting()
    leave.set()

    found = ends(single, 2)
    assert found[waiting.job_id] == Released()
    end = found[running.job_id]
    assert isinstance(end, Succeeded)
    # It was not even asked to stop: its grace period has only begun.
    assert CODEC.decode_result(Subject(running.job_id, running.task), end.result) is False


def test_what_was_handed_back_is_not_blamed_when_the_rest_is_interrupted(
    single: InFlight,
) -> None:
    start(single, block)
    waiting = start(single, answer, idempotent=False)
    assert entered.wait(20)

    single.hand_back_waiting()
    single.interrupt()
    leave.set()

    assert ends(single, 2)[waiting.job_id] == Released()


@pytest.mark.process
@pytest.mark.parametrize(("idempotent", "end"), [(True, Released), (False, Quarantined)])
def test_what_is_interrupted_is_handed_back_if_it_may_run_twice(
    child: InFlight, idempotent: bool, end: type[AttemptEnd]
) -> None:
    made = start(child, sleep, idempotent=idempotent)

    child.interrupt()

    assert type(ends(child, 1)[made.job_id]) is end


def test_a_waiting_attempt_that_is_cancelled_ends_as_cancelled(single: InFlight) -> None:
    start(single, block)
    waiting = start(single, answer)
    assert entered.wait(20)

    single.cancel(waiting.job_id, waiting.number, kill=False)
    leave.set()

    assert ends(single, 2)[waiting.job_id] == Cancelled()


def test_a_running_attempt_that_is_cancelled_is_asked(single: InFlight) -> None:
    running = start(single, block)
    assert entered.wait(20)

    single.cancel(running.job_id, running.number, kill=False)
    leave.set()

    end = ends(single, 1)[running.job_id]
    assert isinstance(end, Succeeded)
    assert CODEC.decode_result(Subject(running.job_id, running.task), end.result) is True


@pytest.mark.process
def test_a_running_attempt_that_is_cancelled_by_a_kill_ends_at_once(child: InFlight) -> None:
    running = start(child, sleep)

    child.cancel(running.job_id, running.number, kill=True)

    assert ends(child, 1)[running.job_id] == Cancelled()


def test_cancelling_another_attempt_number_changes_nothing(single: InFlight) -> None:
    start(single, block)
    waiting = start(single, answer)

    single.cancel(waiting.job_id, waiting.number + 1, kill=True)
    leave.set()

    assert isinstance(ends(single, 2)[waiting.job_id], Succeeded)


@pytest.mark.process
def test_a_dead_child_loses_the_attempt_that_ran_and_no_other(child: InFlight) -> None:
    @task
    def die() -> None:
        os._exit(1)

    lost, other = start(child, die), start(child, answer)

    found = ends(child, 2)
    assert isinstance(found[lost.job_id], Lost)
    assert isinstance(found[other.job_id], Succeeded)


def test_the_last_report_of_progress_is_kept(single: InFlight) -> None:
    start(single, report)
    ends(single, 1)

    ((_, progress),) = single.take_progress()

    assert (progress.done, progress.total) == (100, 100)
    assert single.take_progress() == []


@pytest.mark.process
def test_a_pool_that_breaks_hands_back_and_says_so() -> None:
    def fail() -> None:
        raise OSError("no licence")

    with ProcessExecutor(1, initializer=fail) as executor:
        held = InFlight(executor, wake=lambda: None)
        made = start(held, answer, idempotent=False)

        assert ends(held, 1)[made.job_id] == Released()
        assert isinstance(held.broken, PoolError)


def test_a_payload_that_cannot_be_read_is_a_failure_of_its_job(single: InFlight) -> None:
    made = attempt(payload=b"\x07nonsense")

    single.start(made, Runner(answer, CODEC, answer.name))

    assert isinstance(ends(single, 1)[made.job_id], Failed)
