"""Values that lightwork never writes, and that every database keeps: each costs its own job at most."""

import json
import uuid
from collections.abc import Sequence

import pytest

from lightwork.model import State
from lightwork.store.contract import Store
from lightwork.store.sqlstore import SqlStore
from store.sqlite.test_damage import look, work
from store.steps import LANES, end_lease, execute, registered, state_of, submitted

FAR = 1 << 62
POLICIES = [
    "{",
    '{"retries": "x"}',
    '{"timeout": 1e20}',
    '{"timeout": -1}',
    json.dumps({"max_memory": 10**30}),
    '{"retries": -1}',
    '{"max_crashes": 0}',
    '{"backoff": {"base": 1e300}}',
]
STATE_CHANGES = [
    "failures = -5",
    "crashes = 2147483647",
    "attempt = 2147483646",
    "losses = -1",
    "cancel_requested = 7",
    f"started_at = {FAR}",
    f"due_at = {FAR}",
    "progress_done = -1e300",
    "progress_note = ''",
]
WORKER_CHANGES = [
    *("slots = -1", "pid = -1", "state = ''", "state = 'asleep'", "tasks = '{'", "queues = '{'"),
    *(f"{name} = {FAR}" for name in ("started_at", "heartbeat_at", "lease_until")),
    "name = ''",
]
JOB_CHANGES = [f"created_at = {FAR}", "created_at = -1", "priority = -2147483648", "idempotent = 9"]


def damaged(store: Store, table: str, changes: Sequence[str]) -> list[uuid.UUID]:
    """Return jobs that wait, run or are scheduled, each with one of the changes."""
    jobs = [submitted(store, delay=60 if table == "scheduled" else 0) for _ in changes]
    dead = registered(store)
    if table == "running":
        attempts = store.claim(dead, lanes=LANES, limit=len(jobs))
        store.ack(dead, [], begun=attempts)
    for job_id, change in zip(jobs, changes, strict=True):
        where = (
            "id = :id" if change in JOB_CHANGES else "seq = (SELECT seq FROM job WHERE id = :id)"
        )
        name = "job" if change in JOB_CHANGES else table
        execute(store, f"UPDATE {name} SET {change} WHERE {where}", {"id": job_id.bytes})
    end_lease(store, dead)
    return jobs


def assert_the_rest_goes_on(store: SqlStore) -> None:
    healthy = submitted(store)
    for _ in range(2):
        look(store)
        work(store)
    look(store)
    assert state_of(store, healthy) == State.SUCCEEDED


@pytest.mark.parametrize("table", ["ready", "running", "scheduled"])
def test_damaged_numbers_hold_up_nobody(store: SqlStore, table: str) -> None:
    damaged(store, table, [*STATE_CHANGES, *JOB_CHANGES])

    assert_the_rest_goes_on(store)


@pytest.mark.parametrize("table", ["ready", "running"])
def test_a_job_of_an_absurd_policy_fails_alone(store: SqlStore, table: str) -> None:
    jobs = [submitted(store) for _ in POLICIES]
    dead = registered(store)
    if table == "running":
        attempts = store.claim(dead, lanes=LANES, limit=len(jobs))
        store.ack(dead, [], begun=attempts)
    for job_id, policy in zip(jobs, POLICIES, strict=True):
        values = {"id": job_id.bytes, "policy": policy}
        execute(store, "UPDATE job SET policy = :policy WHERE id = :id", values)
    end_lease(store, dead)

    assert_the_rest_goes_on(store)

    assert set(store.states(jobs).values()) == {State.FAILED}


def test_damaged_workers_end_no_other(store: SqlStore) -> None:
    for change in WORKER_CHANGES:
        worker = registered(store)
        execute(store, f"UPDATE worker SET {change} WHERE id = :id", {"id": worker.bytes})

    assert_the_rest_goes_on(store)
