"""Plans: recurring statements use the index that was meant for them, and never finished rows.

Asked of a store with thousands of finished jobs, whose statistics the server knows.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event

from lightwork.lifecycle import AttemptEnd, Succeeded
from lightwork.store.admin import counts, news, queries
from lightwork.store.operations import jobs as operations
from lightwork.store.postgresql.claim import _claim
from lightwork.store.postgresql.spelling import _many, _moving
from lightwork.store.sql import ends, jobs, lanes, upkeep
from lightwork.store.sqlstore import SqlStore
from store.servers import execute, new_database
from store.steps import LANES, new_job, registered

RECURRING: dict[str, tuple[Any, str]] = {
    "next of a lane": (lanes.NEXT_OF_LANE, "ready_lane"),
    "lanes": (lanes.LANES, "ready_lane"),
    "best of lanes": (lanes.best_of(4), "ready_lane"),
    "next of lanes": (lanes.NEXT_CHOSEN, "ready_pkey"),
    "cancel requests": (ends.CANCEL_REQUESTS, "job_pkey"),
    "due": (upkeep.DUE, "scheduled_due"),
    "next due": (upkeep.NEXT_DUE_IN, "scheduled_due"),
    "next due, behind a mark": (upkeep.NEXT_DUE_IN_SINCE, "scheduled_due"),
    "rescue": (ends.ABANDONED, "job_pkey"),
    "sign off": (ends.HELD_BY, "job_pkey"),
    **{f"prune {state}": (found, "outcome_state") for state, found in upkeep.PRUNABLE.items()},
    "waited": (queries.WAITED, "ready_lane"),
    "new jobs": (news.NEW_JOBS, "job_pkey"),
    **{f"news of {state}": (found, "outcome_state") for state, found in news.ENDED_JOBS.items()},
    "queues": (counts.QUEUES, "ready_lane"),
    "outcomes": (jobs.OUTCOMES, "job_id"),
    "states": (jobs.STATES, "job_id"),
    "claim, come": (lanes.CLAIM.insert, "ready_pkey"),
    "claim, leave": (lanes.CLAIM.delete, "ready_pkey"),
    # By key: by its worker each ack would read all that the worker runs.
    **{
        f"end {kind.__name__}, come": (end.insert, "running_pkey") for kind, end in ends.END.items()
    },
    **{
        f"end {kind.__name__}, leave": (end.delete, "running_pkey")
        for kind, end in ends.END.items()
    },
    "begun": (ends.NOTE_BEGUN, "running_pkey"),
}
VALUES = {
    "b_queue": "default",
    "b_task": "jobs:work",
    "b_limit": 10,
    "b_seq": 7,
    "b_number": 1,
    "b_begins": 1,
    "b_worker": b"0123456789abcdef",
    "b_age": 1000,
    "b_result": b"",
    "b_delay": 1,
    "b_error_type": "",
    "b_error_text": "",
    "b_traceback": "",
    "b_begun": 0,
    "b_now": 0,
    "b_ids": [b"0123456789abcdef"],
    "b_seqs": [7],
    "b_at": 2**41,
    "b_last": 2**62,
    "b_is_counted": 0,
    "b_since": 2**40,
}


@pytest.fixture(scope="module")
def full() -> Iterator[SqlStore]:
    """A store of 5,000 finished jobs, 200 that run, 200 that wait and 200 that will."""
    with new_database("postgresql") as url, SqlStore(url) as store:
        worker = registered(store, lease=3600)
        for _ in range(5):
            store.submit([new_job() for _ in range(1000)])
            claimed = store.claim(worker, lanes=LANES, limit=1000)
            store.ack(worker, [(attempt, Succeeded(b"")) for attempt in claimed])
        store.submit([new_job() for _ in range(200)])
        store.claim(worker, lanes=LANES, limit=200)
        store.submit([new_job(delay=60) for _ in range(200)])
        store.submit([new_job() for _ in range(200)])
        execute(url, "VACUUM ANALYZE")
        yield store


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def plan_of(store: SqlStore, statement: Any) -> list[dict[str, Any]]:
    """Return the steps in which the server would execute the statement."""

    def ask(connection: Connection) -> Any:
        compiled = statement.compile(dialect=connection.dialect)
        given = {name: VALUES.get(name, "a") for name in compiled.params if name[:2] == "b_"}
        state = compiled.construct_expanded_state(compiled.params | given)
        explain = f"EXPLAIN (FORMAT JSON) {state.statement}"
        return connection.exec_driver_sql(explain, state.parameters).scalar()

    (found,) = store.database.write(ask)
    return list(nodes(found["Plan"]))


@pytest.mark.parametrize("name", RECURRING)
def test_recurring_statement_uses_its_index(full: SqlStore, name: str) -> None:
    statement, index = RECURRING[name]

    steps = plan_of(full, statement)

    scanned = {step.get("Relation Name") for step in steps if step["Node Type"] == "Seq Scan"}
    assert index in {step.get("Index Name") for step in steps}, steps
    assert not scanned & {"job", "outcome"}, steps


def test_a_claim_of_one_statement_reads_no_more_than_it_takes(full: SqlStore) -> None:
    values = VALUES | {"b_slots": 1}

    def explain(connection: Connection) -> Any:
        text = f"EXPLAIN (FORMAT JSON) {_claim(connection.dialect, lanes.NEXT_OF_LANE)}"
        return connection.exec_driver_sql(text, values).scalar()

    (found,) = full.database.write(explain)
    steps = list(nodes(found["Plan"]))

    scanned = {step.get("Relation Name") for step in steps if step["Node Type"] == "Seq Scan"}
    assert {"ready_lane", "ready_pkey"} <= {step.get("Index Name") for step in steps}, steps
    assert not scanned & {"job", "outcome", "ready", "running"}, steps


LOOKS = {
    "outcomes": operations.outcomes,
    "states": operations.states,
    "progress": operations.progress,
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_look_for_many_jobs_reads_no_others(look: Callable[..., Any]) -> None:
    waiting = [new_job() for _ in range(500)]
    with new_database("postgresql") as url, SqlStore(url) as store:
        worker = registered(store, lease=3600)
        for _ in range(5):
            store.submit([new_job() for _ in range(1000)])
            claimed = store.claim(worker, lanes=LANES, limit=1000)
            store.ack(worker, [(attempt, Succeeded(b"")) for attempt in claimed])
        store.submit(waiting)

        def explain(connection: Connection) -> list[Any]:
            asked: list[tuple[str, Any]] = []

            def note(*said: Any) -> None:
                asked.append((said[2], said[3]))

            event.listen(connection, "before_cursor_execute", note)
            try:
                look(connection, store.database.spelling, [job.id for job in waiting])
            finally:
                event.remove(connection, "before_cursor_execute", note)
            return [
                connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", given).scalar()
                for text, given in asked
            ]

        plans = store.database.write(explain)

    steps = [step for (found,) in plans for step in nodes(found["Plan"])]
    read: Counter[str] = Counter()
    for step in steps:
        read[step.get("Relation Name", "")] += step["Actual Rows"] * step["Actual Loops"]
    assert read["outcome"] == 0
    assert read["job"] == len(waiting)


@pytest.mark.parametrize("kind", ends.END, ids=lambda kind: kind.__name__)
def test_a_batch_of_ends_is_looked_up_by_key(full: SqlStore, kind: type[AttemptEnd]) -> None:
    rows = [VALUES | {"b_seq": seq, "b_how": 1} for seq in (5001, 5002)]

    def explain(connection: Connection) -> Any:
        many = _many(_moving(ends.END[kind]), connection.dialect)
        many._text = f"EXPLAIN (FORMAT JSON) {many._text}"
        try:
            (found,) = many.run(connection, rows)
            return found.scalar()
        finally:
            many._text = many._text.removeprefix("EXPLAIN (FORMAT JSON) ")

    (found,) = full.database.write(explain)
    steps = list(nodes(found["Plan"]))

    scanned = {step.get("Relation Name") for step in steps if step["Node Type"] == "Seq Scan"}
    assert "running_pkey" in {step.get("Index Name") for step in steps}, steps
    assert not scanned & {"job", "outcome"}, steps


def test_the_clock_is_asked_once_in_a_statement_not_once_a_row(full: SqlStore) -> None:
    """Compared with a volatile function an index is of no use: all would be looked at."""
    steps = plan_of(full, upkeep.DUE)

    assert any("due_at" in step.get("Index Cond", "") for step in steps), steps
