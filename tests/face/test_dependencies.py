"""Futures as arguments, and after=: what a program can say, and where its jobs get their arguments."""

import pickle
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import lightwork as lw
from face import family_jobs as jobs
from lightwork.clock import monotonic
from lightwork.durable.executor import DurableExecutor
from lightwork.durable.future import DurableFuture
from lightwork.model import State
from store.steps import execute

PATIENCE = 60
KEY = b"a key of sixteen bytes or more"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[DurableExecutor]:
    url = f"sqlite:///{tmp_path}/work.db"
    with DurableExecutor(url, workers="threads:2", authkey=KEY) as executor:
        yield executor


def id_of(future: lw.Future[Any]) -> UUID:
    assert isinstance(future, DurableFuture)
    return future.job_id


def test_future_as_an_argument_is_the_result_of_its_job(running: DurableExecutor) -> None:
    two, three = running.submit(jobs.number, 2), running.submit(jobs.number, 3)

    future = running.submit(jobs.total, two, three, more=[two, 1])

    assert future.result(PATIENCE) == 8


def test_futures_are_found_in_lists_tuples_and_dicts(running: DurableExecutor) -> None:
    one = running.submit(jobs.number, 1)

    future = running.submit(jobs.nested, {"a": [one, (one, 2)], "c": 3})

    assert future.result(PATIENCE) == {"a": [1, (1, 2)], "c": 3}


def test_result_of_an_annotated_class_is_read_as_its_own_task_says(
    running: DurableExecutor,
) -> None:
    order = running.submit(jobs.ordered, 7)

    assert running.submit(jobs.number_of, order).result(PATIENCE) == 7


def test_signed_result_is_verified_and_becomes_an_argument(running: DurableExecutor) -> None:
    opaque = running.submit(jobs.opaque, 7)

    assert running.submit(jobs.number_of, opaque).result(PATIENCE) == 7


def test_signed_call_may_name_results_too(running: DurableExecutor) -> None:
    two = running.submit(jobs.number, 2)

    found = running.submit(jobs.nested, [jobs.Opaque(1), two]).result(PATIENCE)

    assert (found[0].number, found[1]) == (1, 2)


def test_result_that_belongs_to_another_job_is_not_loaded(
    running: DurableExecutor, tmp_path: Path
) -> None:
    gate = str(tmp_path / "gate")
    opaque, other = running.submit(jobs.opaque, 7), running.submit(jobs.opaque, 8)
    futures.wait([opaque, other])
    waits = lw.call(jobs.number_of, after=[running.submit(jobs.wait_for, gate)])
    future = running.submit(waits, opaque)
    execute(
        running.store,
        "UPDATE outcome SET result = (SELECT o.result FROM outcome o JOIN job j ON j.seq = o.seq"
        " WHERE j.id = :other) WHERE seq = (SELECT seq FROM job WHERE id = :id)",
        {"other": id_of(other).bytes, "id": id_of(opaque).bytes},
    )
    Path(gate).touch()

    with pytest.raises(lw.JobFailed, match="not signed"):
        future.result(PATIENCE)


def test_job_runs_after_those_that_it_names(running: DurableExecutor, tmp_path: Path) -> None:
    log, gate = str(tmp_path / "log"), str(tmp_path / "gate")
    held = running.submit(jobs.wait_for, gate)
    first = running.submit(lw.call(jobs.note, after=[held]), log, "first")
    second = running.submit(
        lw.call(jobs.note, after=[id_of(first), str(id_of(held))]), log, "second"
    )

    Path(gate).touch()
    second.result(PATIENCE)

    assert Path(log).read_text().split() == ["first", "second"]


def test_failure_of_a_parent_is_told_by_its_children(running: DurableExecutor) -> None:
    parent = running.submit(jobs.fail, "no luck")
    child = running.submit(jobs.total, parent)
    grandchild = running.submit(jobs.total, child)

    for future in (child, grandchild):
        error = future.exception(PATIENCE)
        assert isinstance(error, lw.DependencyFailed)
        assert (error.job_id, error.parent_id) == (str(id_of(future)), str(id_of(parent)))
        assert error.parent_task == "face.family_jobs:fail"
        assert (error.error_type, error.error_text) == ("ValueError", "no luck")
        assert vars(pickle.loads(pickle.dumps(error))) == vars(error)


def test_job_that_runs_whatever_happens_gets_the_error(running: DurableExecutor) -> None:
    parent = running.submit(jobs.fail, "no luck")

    future = running.submit(lw.call(jobs.named, on_failure="run"), parent)

    assert future.result(PATIENCE).startswith("JobFailed: ")
    assert "no luck" in future.result()


def test_cancelled_parent_cancels_its_children(running: DurableExecutor, tmp_path: Path) -> None:
    held = running.submit(jobs.wait_for, str(tmp_path / "gate"))
    parent = running.submit(lw.call(jobs.number, after=[held]), 1)
    child = running.submit(jobs.total, parent)

    parent.cancel()

    assert futures.wait([child], PATIENCE).done == {child}
    assert child.cancelled()
    (tmp_path / "gate").touch()


def test_future_that_is_no_job_must_be_done(running: DurableExecutor, tmp_path: Path) -> None:
    with lw.executor("threads:1") as local:
        done, held = local.submit(int, 5), local.submit(jobs.wait_for.fn, str(tmp_path / "gate"))
        futures.wait([done])

        assert running.submit(jobs.total, done).result(PATIENCE) == 5
        with pytest.raises(lw.UsageError, match="it is not a job"):
            running.submit(jobs.total, held)
        (tmp_path / "gate").touch()


def test_future_of_another_store_is_refused(running: DurableExecutor, tmp_path: Path) -> None:
    with DurableExecutor(f"sqlite:///{tmp_path}/other.db") as other:
        foreign = other.submit(jobs.number, 1)

        with pytest.raises(lw.UsageError, match="not in this store"):
            running.submit(jobs.total, foreign)


def test_map_waits_for_what_its_task_names(running: DurableExecutor, tmp_path: Path) -> None:
    gate = str(tmp_path / "gate")
    held = running.submit(jobs.wait_for, gate)

    results = running.map(lw.call(jobs.number, after=[held]), [1, 2, 3])
    waiting = running.store.summary().states[State.BLOCKED]
    Path(gate).touch()

    assert (waiting, list(results)) == (3, [1, 2, 3])


def test_children_of_a_process_get_results_too(tmp_path: Path) -> None:
    with DurableExecutor(f"sqlite:///{tmp_path}/work.db", workers=1) as executor:
        numbers = [executor.submit(jobs.number, n) for n in range(20)]

        assert executor.submit(jobs.total, *numbers).result(PATIENCE) == 190


@pytest.mark.parametrize("workers", ["threads:1", "processes:1"])
def test_worker_of_one_slot_does_not_wait_for_itself(tmp_path: Path, workers: str) -> None:
    url = f"sqlite:///{tmp_path}/work.db"
    with DurableExecutor(url, workers=workers) as executor:
        assert executor.submit(jobs.factorial, url, 4).result(PATIENCE) == 24


@pytest.mark.parametrize("workers", ["threads:1", "processes:1"])
def test_waiting_for_many_jobs_gives_the_slot_back_too(tmp_path: Path, workers: str) -> None:
    url = f"sqlite:///{tmp_path}/work.db"
    with DurableExecutor(url, workers=workers) as executor:
        assert executor.submit(jobs.sum_of, url, 5).result(PATIENCE) == 10


def test_child_that_was_only_lent_ends_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/work.db"
    with DurableExecutor(url, workers=1) as executor:
        executor.submit(jobs.factorial, url, 3).result(PATIENCE)
        pids = {executor.submit(jobs.pid).result(PATIENCE) for _ in range(5)}
        deadline = monotonic() + PATIENCE
        while len(pids) > 1 and monotonic() < deadline:
            pids = {executor.submit(jobs.pid).result(PATIENCE) for _ in range(5)}

    assert len(pids) == 1
