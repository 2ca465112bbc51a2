"""The proof holds when it should, and fails when anything is wrong."""

import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightwork.demo.ledger import Ledger
from lightwork.demo.tasks import QUEUE, measure
from lightwork.lifecycle import AttemptEnd, Failed, Lost, Succeeded
from lightwork.model import ErrorInfo, NewJob, WorkerInfo
from lightwork.store.contract import Store
from lightwork.store.sqlstore import open_store

ERROR = ErrorInfo(type="SyntaxError", text="invalid syntax")
IDS = {uuid.uuid4(): f"{number}.py" for number in range(4)}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store where every job has its outcome: one failed, one was lost before it succeeded."""
    store = open_store(f"sqlite:///{tmp_path}/demo.db")
    store.submit(
        [NewJob(id=job_id, task=measure.name, payload=b"", policy=measure.policy) for job_id in IDS]
    )
    worker = WorkerInfo(id=uuid.uuid4(), name="demo-1", host="here", pid=1, slots=4)
    store.register(worker, lease=60)
    _end(store, worker.id, [Lost(ERROR), Failed(ERROR), Succeeded(b"r"), Succeeded(b"r")])
    _end(store, worker.id, [Succeeded(b"r")])
    yield store
    store.close()


def _end(store: Store, worker: uuid.UUID, ends: list[AttemptEnd]) -> None:
    attempts = store.claim(worker, lanes=store.lanes([QUEUE]), limit=len(ends))
    refused = store.ack(worker, list(zip(attempts, ends, strict=True)))
    assert not refused


def _tamper(tmp_path: Path, statement: str) -> None:
    with sqlite3.connect(tmp_path / "demo.db") as connection:
        changed = connection.execute(statement).rowcount
    connection.close()
    assert changed == 1


def test_the_proof_holds_when_each_job_has_its_outcome(store: Store) -> None:
    proof = Ledger(store, IDS).proof()

    assert proof.holds
    assert proof.text == "4 files, 4 jobs, 4 recorded outcomes: each exactly one."


def test_attempts_are_counted_with_those_that_were_lost(store: Store) -> None:
    attempts = Ledger(store, IDS).count_attempts()

    assert attempts == 5


def test_a_file_without_a_job_breaks_the_proof(store: Store) -> None:
    proof = Ledger(store, IDS | {uuid.uuid4(): "new.py"}).proof()

    assert not proof.holds
    assert proof.text.startswith("5 files, 4 jobs, 4 recorded outcomes")


@pytest.mark.parametrize(
    "statement",
    [
        "delete from outcome where seq = 3",
        "update outcome set result = null where seq = 3",
        "update outcome set error_type = null where seq = 2",
        "update outcome set attempt = 1 where seq = 1",
        "delete from attempt where seq = 2",
        "insert into attempt (seq, number, started_at, ended_at, outcome) values (3, 2, 0, 0, 'x')",
    ],
)
def test_whatever_contradicts_an_outcome_breaks_the_proof(
    store: Store, tmp_path: Path, statement: str
) -> None:
    _tamper(tmp_path, statement)

    proof = Ledger(store, IDS).proof()

    assert not proof.holds
    assert "exactly one" not in proof.text


def test_jobs_of_others_do_not_count(store: Store) -> None:
    store.submit([NewJob(id=uuid.uuid4(), task="other:task", payload=b"")])

    proof = Ledger(store, IDS).proof()

    assert proof.holds
