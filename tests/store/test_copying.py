"""Copying: a whole store from any database into any other, resumed, compared, refused."""

import itertools
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from lightwork.errors import StoreError, UsageError
from lightwork.lifecycle import AttemptEnd, Cancelled, Failed, Lost, Retried, Succeeded
from lightwork.model import Progress, State
from lightwork.store import copying
from lightwork.store.copying import copy_store
from lightwork.store.sqlstore import SqlStore
from store.steps import (
    ERROR,
    LANES,
    claim_one,
    end_lease,
    execute,
    new_job,
    registered,
    state_of,
    submitted,
)

KINDS = ("sqlite", "postgresql", "mariadb")


@pytest.fixture
def source(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    with SqlStore(str(request.getfixturevalue(f"{request.param}_url"))) as store:
        yield store


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[SqlStore]:
    url = f"sqlite:///{tmp_path}/copy.db"
    if request.param != "sqlite":
        url = str(request.getfixturevalue(f"{request.param}_url"))
    with SqlStore(url) as store:
        yield store


ways = pytest.mark.parametrize(
    ("source", "target"),
    [(a, b) for a, b in itertools.product(KINDS, KINDS) if a != b] + [("sqlite", "sqlite")],
    indirect=True,
)
one_way = pytest.mark.parametrize(("source", "target"), [("sqlite", "sqlite")], indirect=True)


def filled(store: SqlStore) -> list[uuid.UUID]:
    """Make jobs in every state but running, with attempts, reports and odd bytes."""
    payloads = (bytes(range(256)) * 5, b"", "ä\0\u2028".encode(), b"x" * 100_000)
    jobs = [new_job(payload=payload, priority=n) for n, payload in enumerate(payloads * 3)]
    store.submit(jobs)
    worker = registered(store, name="ada")
    attempts = store.claim(worker, lanes=LANES, limit=6)
    store.report_progress(worker, [(attempts[0], Progress(done=0.1, total=3, note="ü"))])
    ends: list[AttemptEnd] = [
        Succeeded(b"\0\1"),
        Failed(ERROR),
        Retried(ERROR, 3600.0),
        Lost(ERROR),
        Cancelled(),
        Succeeded(b""),
    ]
    store.ack(worker, list(zip(attempts, ends, strict=True)))
    later = submitted(store, delay=7200.0, queue="mail")
    store.sign_off(worker)
    return [*(job.id for job in jobs), later]


def copied(source: SqlStore, target: SqlStore) -> None:
    copy_store(source, target, tell=lambda *_: None)


@ways
def test_a_whole_store_is_the_same_in_another_database(source: SqlStore, target: SqlStore) -> None:
    ids = filled(source)

    copied(source, target)

    assert target.jobs(limit=100) == source.jobs(limit=100)
    assert target.outcomes(ids) == source.outcomes(ids)
    assert target.payloads(ids, largest=10**6) == source.payloads(ids, largest=10**6)
    assert [target.attempts(i) for i in ids] == [source.attempts(i) for i in ids]
    assert target.summary().states == source.summary().states
    assert target.check() == []


@ways
def test_the_copy_goes_on_counting_and_working(source: SqlStore, target: SqlStore) -> None:
    filled(source)
    last = submitted(source)
    newest = source.jobs(limit=1)[0].seq
    source.cancel([last])
    execute(source, "UPDATE outcome SET finished_at = 1")
    source.prune(older_than=60.0)

    copied(source, target)

    job_id = submitted(target, priority=1000)
    assert target.jobs(limit=1)[0].seq > newest
    worker = registered(target)
    attempt = claim_one(target, worker)
    assert attempt.job_id == job_id
    assert target.ack(worker, [(attempt, Succeeded(b""))]) == []
    assert target.check() == []


@one_way
def test_a_copy_that_was_killed_goes_on_where_it_was(
    source: SqlStore, target: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(source)
    monkeypatch.setattr(copying, "_ROWS", 3)
    for killed_at in range(1, 12):
        told: list[tuple[str, int]] = []

        def tell(table: str, rows: int, told: Any = told, killed_at: int = killed_at) -> None:
            told.append((table, rows))
            if len(told) == killed_at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            copy_store(source, target, tell=tell)

    copied(source, target)

    assert target.jobs(limit=100) == source.jobs(limit=100)
    assert target.check() == []


@one_way
def test_batches_are_bounded_in_bytes(
    source: SqlStore, target: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(source)
    monkeypatch.setattr(copying, "_BYTES", 150_000)
    told: list[tuple[str, int]] = []

    copy_store(source, target, tell=lambda table, rows: told.append((table, rows)))

    batches = [rows for table, rows in told if table == "job"]
    assert len(batches) >= 3


@one_way
def test_a_target_with_other_jobs_is_refused_and_unchanged(
    source: SqlStore, target: SqlStore
) -> None:
    filled(source)
    other = submitted(target)

    with pytest.raises(UsageError, match="holds jobs that are not those"):
        copied(source, target)

    assert [view.id for view in target.jobs()] == [other]


@one_way
def test_a_target_with_anything_else_is_refused(source: SqlStore, target: SqlStore) -> None:
    filled(source)
    execute(target, "INSERT INTO queue (name, paused_at) VALUES ('mail', 1)")

    with pytest.raises(UsageError, match="has rows in queue"):
        copied(source, target)


@one_way
def test_live_workers_on_either_side_are_refused(source: SqlStore, target: SqlStore) -> None:
    worker = registered(source, name="ada")
    with pytest.raises(UsageError, match=r"1 live workers \(ada\)"):
        copied(source, target)

    source.sign_off(worker)
    registered(target)
    with pytest.raises(UsageError, match="copy into a store that nobody uses"):
        copied(source, target)


def test_a_store_is_not_copied_onto_itself(url: str) -> None:
    with SqlStore(url) as store, SqlStore(url.replace("/work.db", "/./work.db")) as same:
        filled(store)

        with pytest.raises(UsageError, match="are one store"):
            copy_store(store, same, tell=lambda _table, _rows: None)

        assert store.check() == []


@one_way
def test_what_a_dead_worker_held_is_rescued_first(source: SqlStore, target: SqlStore) -> None:
    job_id, worker = submitted(source), registered(source)
    claim_one(source, worker)
    end_lease(source, worker)

    copied(source, target)

    assert state_of(target, job_id) == State.READY


@one_way
def test_a_source_that_changes_meanwhile_is_found_at_the_end(
    source: SqlStore, target: SqlStore
) -> None:
    ids: Sequence[uuid.UUID] = filled(source)

    def tell(table: str, _rows: int) -> None:
        if table == "tally":
            source.cancel(ids)

    with pytest.raises(StoreError, match="somebody has changed one of them meanwhile"):
        copy_store(source, target, tell=tell)


@pytest.mark.parametrize(("source", "target"), [("sqlite", "mariadb")], indirect=True)
def test_names_that_the_target_takes_for_one_are_told(source: SqlStore, target: SqlStore) -> None:
    source.submit([new_job()])
    for queue in ("mail", "post"):
        source.pause(queue)
    # As stores of earlier programs may have it.
    execute(source, "UPDATE queue SET name = 'mail ' WHERE name = 'post'")

    with pytest.raises(StoreError, match=r"two rows of queue .*spaces at the end") as refusal:
        copy_store(source, target, tell=lambda *_: None)

    assert "'mail" in str(refusal.value)
