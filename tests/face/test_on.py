"""Listening to a durable executor: its own worker at once, others from the store."""

import logging
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import lightwork as lw
from face.jobs import invert, note_then_die, report_then_wait, square, succeed_in
from lightwork.durable.executor import DurableExecutor
from lightwork.durable.future import DurableFuture
from lightwork.work.service import Worker
from waiting import wait_until


def id_of(future: lw.Future[Any]) -> UUID:
    assert isinstance(future, DurableFuture)
    return future.job_id


def kinds_of(events: list[lw.JobEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_a_job_of_the_own_worker_is_told_from_submission_to_its_end(url: str) -> None:
    events: list[lw.JobEvent] = []
    with lw.executor(url, workers=1) as executor:
        executor.on(lw.JobEvent, events.append)
        future = executor.submit(square, 3)
        assert future.result(60) == 9

    # The store may tell the submission last; and whether it took a tenth of a second, who knows.
    told = sorted(kinds_of([one for one in events if not isinstance(one, lw.Started)]))
    assert told == ["Claimed", "Submitted", "Succeeded"]
    assert {event.job_id for event in events} == {id_of(future)}
    assert {event.task for event in events} == {square.name}


def test_each_failure_is_told_once_and_a_loss_as_such(url: str, tmp_path: Path) -> None:
    events: list[lw.JobEvent] = []
    with lw.executor(url, workers=1) as executor:
        for kind in (lw.Failed, lw.Retried, lw.Lost):
            executor.on(kind, events.append)
        futures: list[lw.Future[Any]] = [
            executor.submit(invert, 0),
            executor.submit(succeed_in, 3),
            executor.submit(note_then_die, str(tmp_path / "notes")),
        ]
        for future in futures:
            future.exception(60)

    told = {
        id_of(future): kinds_of([one for one in events if one.job_id == id_of(future)])
        for future in futures
    }
    assert list(told.values()) == [
        ["Failed"],
        ["Retried", "Retried"],
        # Both listeners, to Failed and to Lost, hear of the last one.
        ["Lost", "Lost", "Quarantined", "Quarantined"],
    ]


def test_progress_and_begin_of_the_own_worker_are_told(url: str, tmp_path: Path) -> None:
    events: list[lw.JobEvent] = []
    gate = tmp_path / "gate"
    with lw.executor(url, workers=1) as executor:
        executor.on(lw.Started, events.append)
        executor.on(lw.Progressed, events.append)
        future = executor.submit(report_then_wait, str(gate))
        wait_until(lambda: len(events) == 2, "both are told")
        gate.touch()
        future.result(60)

    assert {"Started", "Progressed"} == set(kinds_of(events))


def test_what_others_do_is_told_from_the_store(url: str, kept: DurableExecutor) -> None:
    events: list[lw.JobEvent] = []
    heard = threading.Event()

    def hear(event: lw.JobEvent) -> None:
        events.append(event)
        if isinstance(event, lw.Failed):
            heard.set()

    kept.on(lw.JobEvent, hear)
    with DurableExecutor(url) as other:
        job_id = id_of(other.submit(invert, 0))
    Worker(url, executor="inline", tasks=[invert], burst=True).run()

    assert heard.wait(60)
    assert kinds_of(events) == ["Submitted", "Failed"]
    assert {event.job_id for event in events} == {job_id}
    failed = events[-1]
    assert isinstance(failed, lw.Failed)
    assert failed.error.type == "ZeroDivisionError"


def test_a_listener_that_raises_harms_nothing(url: str, caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: lw.JobEvent) -> None:
        raise SystemExit("listener")

    caplog.set_level(logging.ERROR)
    with lw.executor(url, workers=1) as executor:
        executor.on(lw.JobEvent, fail)
        assert [executor.submit(square, n).result(60) for n in range(3)] == [0, 1, 4]

    said = [record.getMessage() for record in caplog.records]
    assert sum(text.startswith("listener_failed") for text in said) == 1


def test_a_listener_may_be_taken_away(url: str) -> None:
    events: list[lw.JobEvent] = []
    with lw.executor(url, workers=1) as executor:
        end = executor.on(lw.Succeeded, events.append)
        executor.submit(square, 1).result(60)
        wait_until(lambda: events, "it is told")
        end()
        executor.submit(square, 2).result(60)

    assert len(events) == 1


def test_without_listeners_there_is_no_thread_for_them(url: str) -> None:
    with lw.executor(url, workers=1) as executor:
        executor.submit(square, 1).result(60)
        names = {thread.name for thread in threading.enumerate()}

    assert "lightwork-events" not in names
