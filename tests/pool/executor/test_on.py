"""Listening to an executor of this machine: which events there are, and in which order."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
import told_calls

import lightwork as lw

PLACES = ["inline", "threads:2", pytest.param("processes:1", marks=pytest.mark.process)]


def heard(where: str, fn: Callable[..., Any], *args: Any) -> list[lw.JobEvent]:
    """Return what is told of one call."""
    events: list[lw.JobEvent] = []
    with lw.executor(where) as executor:
        executor.on(lw.JobEvent, events.append)
        executor.submit(fn, *args).exception(60)
    return events


def kinds_of(events: list[lw.JobEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("fn", [told_calls.double, told_calls.double_async])
def test_a_call_is_submitted_started_and_succeeds(where: str, fn: Callable[..., Any]) -> None:
    events = heard(where, fn, 3)

    assert kinds_of(events) == ["Submitted", "Started", "Succeeded"]
    assert {(event.task, event.queue) for event in events} == {(fn.__qualname__, "")}
    assert len({event.job_id for event in events}) == 1


@pytest.mark.parametrize("where", PLACES)
def test_a_failure_is_told_with_its_error(where: str) -> None:
    events = heard(where, told_calls.fail)

    assert kinds_of(events) == ["Submitted", "Started", "Failed"]
    failed = events[-1]
    assert isinstance(failed, lw.Failed)
    assert (failed.error.type, failed.error.text) == ("ValueError", "no")


@pytest.mark.parametrize("where", PLACES)
def test_progress_is_told(where: str) -> None:
    events = heard(where, told_calls.report)

    assert kinds_of(events) == ["Submitted", "Started", "Progressed", "Succeeded"]
    progressed = events[2]
    assert isinstance(progressed, lw.Progressed)
    assert (progressed.progress.done, progressed.progress.note) == (1, "half")


@pytest.mark.parametrize("where", PLACES)
def test_an_attempt_that_follows_is_told(where: str) -> None:
    events = heard(where, told_calls.fail_once)

    assert kinds_of(events) == ["Submitted", "Started", "Retried", "Started", "Succeeded"]
    assert [event.attempt for event in events[1:]] == [1, 1, 2, 2]


@pytest.mark.process
def test_a_child_that_dies_is_both_a_loss_and_a_failure() -> None:
    events = heard("processes:1", told_calls.die)

    assert kinds_of(events) == ["Submitted", "Started", "Quarantined"]
    assert isinstance(events[-1], lw.Lost)
    assert isinstance(events[-1], lw.Failed)


def test_a_call_that_is_cancelled_is_told() -> None:
    events: list[lw.JobEvent] = []
    with lw.executor("threads:1") as executor:
        executor.on(lw.Cancelled, events.append)
        future = executor.submit(lw.call(told_calls.double, delay=600), 1)
        assert future.cancel()

    assert kinds_of(events) == ["Cancelled"]


def test_a_call_that_is_submitted_by_a_coroutine_is_told() -> None:
    events: list[lw.JobEvent] = []

    async def run() -> int:
        async with lw.executor("threads:1") as executor:
            executor.on(lw.Succeeded, events.append)
            return await (await executor.submit_async(told_calls.double, 4))

    assert asyncio.run(run()) == 8
    assert kinds_of(events) == ["Succeeded"]


def test_a_listener_that_raises_is_logged_once_and_harms_no_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(event: lw.JobEvent) -> None:
        raise ValueError("listener")

    caplog.set_level(logging.ERROR)
    with lw.executor("threads:1") as executor:
        executor.on(lw.JobEvent, fail)
        results = [executor.submit(told_calls.double, n).result(60) for n in range(5)]

    assert results == [0, 2, 4, 6, 8]
    assert [record.getMessage().split()[0] for record in caplog.records] == ["listener_failed"]


def test_what_is_no_event_is_refused() -> None:
    with lw.executor("inline") as executor, pytest.raises(lw.UsageError, match="class of events"):
        executor.on(ValueError, print)  # type: ignore[type-var]


def test_the_own_progress_of_a_call_stays_its_own() -> None:
    with lw.executor("threads:1") as executor:
        executor.on(lw.Started, print)
        future = executor.submit(told_calls.double, 1)
        future.result(60)

    assert future.progress is None
