"""What every store promises, on every database: jobs that wait for other jobs."""

import uuid
from collections.abc import Iterable
from typing import Any

import pytest

from lightwork.error_info import cause_of
from lightwork.errors import UsageError
from lightwork.lifecycle import AttemptEnd, Failed, Retried, Succeeded
from lightwork.model import NewJob, State
from lightwork.store.contract import Store
from store.steps import (
    ERROR,
    LANES,
    claim_one,
    end_lease,
    execute,
    make_due,
    new_job,
    registered,
    state_of,
    submitted,
    view_of,
)

# Several times what one transaction tells.
MANY = 1500
DONE = Succeeded(b"")


def child_of(
    *parents: uuid.UUID, needs_success: bool = True, payload: bytes = b"payload", **policy: Any
) -> NewJob:
    plain = new_job(payload=payload, **policy)
    return NewJob(
        id=plain.id,
        task=plain.task,
        payload=payload,
        policy=plain.policy,
        after=parents,
        needs_success=needs_success,
    )


def submitted_after(store: Store, *parents: uuid.UUID, **options: Any) -> uuid.UUID:
    job = child_of(*parents, **options)
    store.submit([job])
    return job.id


def end_next(store: Store, end: AttemptEnd = DONE) -> uuid.UUID:
    """Run the job that comes first; return its id."""
    worker = registered(store)
    attempt = claim_one(store, worker)
    assert store.ack(worker, [(attempt, end)]) == []
    return attempt.job_id


def end_all_ready(store: Store, end: AttemptEnd = DONE) -> list[uuid.UUID]:
    worker = registered(store)
    attempts = store.claim(worker, lanes=LANES, limit=MANY)
    store.ack(worker, [(attempt, end) for attempt in attempts])
    return [attempt.job_id for attempt in attempts]


def states_of(store: Store, job_ids: Iterable[uuid.UUID]) -> list[State]:
    ids = list(job_ids)
    found = store.states(ids)
    return [found[job_id] for job_id in ids]


def unblock_all(store: Store) -> None:
    while store.unblock():
        pass


# Submit.


def test_job_waits_for_the_job_that_it_was_submitted_after(store: Store) -> None:
    parent = submitted(store)

    child = submitted_after(store, parent)

    assert (state_of(store, child), store.check()) == (State.BLOCKED, [])


def test_job_after_one_that_has_succeeded_is_ready(store: Store) -> None:
    parent = submitted(store)
    end_next(store)

    child = submitted_after(store, parent)

    assert (state_of(store, child), store.check()) == (State.READY, [])


def test_job_after_one_that_has_failed_has_failed(store: Store) -> None:
    parent = submitted(store)
    end_next(store, Failed(ERROR))

    child = submitted_after(store, parent)

    assert (state_of(store, child), store.check()) == (State.FAILED, [])


def test_job_after_one_that_was_cancelled_is_cancelled(store: Store) -> None:
    parent = submitted(store)
    store.cancel([parent])

    child = submitted_after(store, parent)

    assert (state_of(store, child), store.check()) == (State.CANCELLED, [])


def test_unknown_parent_is_refused_and_nothing_is_kept(store: Store) -> None:
    beside = new_job()

    with pytest.raises(UsageError, match="not in this store"):
        store.submit([beside, child_of(uuid.uuid4())])

    assert store.states([beside.id]) == {}


def test_jobs_of_one_submit_may_wait_for_those_before_them(store: Store) -> None:
    first = new_job()
    second = child_of(first.id)

    store.submit([first, second])

    assert states_of(store, [first.id, second.id]) == [State.READY, State.BLOCKED]


def test_job_may_not_wait_for_one_behind_it(store: Store) -> None:
    first = new_job()

    with pytest.raises(UsageError):
        store.submit([child_of(first.id), first])


def test_job_that_is_submitted_again_waits_as_before(store: Store) -> None:
    parent = submitted(store)
    child = child_of(parent)
    store.submit([child])

    assert store.submit([child]) == [False]

    assert (state_of(store, child.id), store.check()) == (State.BLOCKED, [])


def test_jobs_of_one_submit_fail_with_what_they_need(store: Store) -> None:
    parent = submitted(store)
    end_next(store, Failed(ERROR))
    first = child_of(parent)
    second = child_of(first.id)

    store.submit([first, second])

    assert states_of(store, [first.id, second.id]) == [State.FAILED, State.FAILED]
    assert store.check() == []


# The end of a parent.


def test_child_is_ready_once_all_its_parents_have_succeeded(store: Store) -> None:
    parents = [submitted(store), submitted(store)]
    child = submitted_after(store, *parents)

    end_next(store)
    between = state_of(store, child)
    end_next(store)

    assert (between, state_of(store, child)) == (State.BLOCKED, State.READY)
    assert store.check() == []


def test_parents_that_end_together_are_counted_each(store: Store) -> None:
    parents = [submitted(store) for _ in range(3)]
    child = submitted_after(store, *parents, parents[0])

    end_all_ready(store)

    assert (state_of(store, child), store.check()) == (State.READY, [])


def test_retry_of_a_parent_is_waited_for(store: Store) -> None:
    parent = submitted(store, retries=1)
    child = submitted_after(store, parent)

    end_next(store, Retried(ERROR, 60))
    between = state_of(store, child)
    make_due(store, parent)
    store.promote()
    end_next(store)

    assert (between, state_of(store, child)) == (State.BLOCKED, State.READY)


def test_diamond_runs_in_order(store: Store) -> None:
    top = submitted(store)
    sides = [submitted_after(store, top), submitted_after(store, top)]
    bottom = submitted_after(store, *sides)

    order = [end_all_ready(store) for _ in range(3)]

    assert order == [[top], sides, [bottom]]


def test_delay_counts_from_the_submit(store: Store) -> None:
    parent = submitted(store)
    child = submitted_after(store, parent, delay=60)

    end_next(store)

    assert state_of(store, child) == State.SCHEDULED
    assert 0 < (store.chores().due_in or 0) <= 60


def test_priority_and_queue_hold_for_what_was_blocked(store: Store) -> None:
    parent = submitted(store)
    later, sooner = (submitted_after(store, parent, priority=number) for number in (1, 2))

    end_next(store)

    assert [end_next(store), end_next(store)] == [sooner, later]


# Failure.


def test_failure_goes_down_the_chain_and_names_where_it_began(store: Store) -> None:
    parent = submitted(store)
    child = submitted_after(store, parent)
    grandchild = submitted_after(store, child)

    end_next(store, Failed(ERROR))

    assert states_of(store, [child, grandchild]) == [State.FAILED, State.FAILED]
    for job_id in (child, grandchild):
        error = view_of(store, job_id).error
        assert error
        assert error.type == "DependencyFailed"
        assert cause_of(error) == (str(parent), "jobs:work", ERROR.type, ERROR.text)
    assert store.check() == []


def test_child_that_needs_no_success_runs_after_a_failure(store: Store) -> None:
    parents = [submitted(store), submitted(store)]
    child = submitted_after(store, *parents, needs_success=False)

    end_next(store, Failed(ERROR))
    store.cancel([parents[1]])

    assert (state_of(store, child), store.check()) == (State.READY, [])


def test_first_failure_fails_a_child_whose_other_parents_go_on(store: Store) -> None:
    parents = [submitted(store), submitted(store)]
    child = submitted_after(store, *parents)

    end_next(store, Failed(ERROR))
    between = state_of(store, child)
    end_next(store)

    assert (between, state_of(store, child)) == (State.FAILED, State.FAILED)
    assert store.check() == []


def test_parent_that_kills_its_workers_fails_its_child(store: Store) -> None:
    parent = submitted(store, max_crashes=1)
    child = submitted_after(store, parent)
    worker = registered(store)
    attempt = claim_one(store, worker)
    store.ack(worker, [], begun=[attempt])
    end_lease(store, worker)

    store.rescue()

    assert states_of(store, [parent, child]) == [State.FAILED, State.FAILED]


# Cancel.


def test_subtree_is_cancelled_with_its_root(store: Store) -> None:
    root = submitted(store)
    below = [submitted_after(store, root), submitted_after(store, root)]
    leaf = submitted_after(store, *below)
    spared = submitted_after(store, leaf, needs_success=False)

    store.cancel([root])

    assert states_of(store, [*below, leaf]) == [State.CANCELLED] * 3
    assert (state_of(store, spared), store.check()) == (State.READY, [])


def test_blocked_job_is_cancelled_and_its_parent_goes_on(store: Store) -> None:
    parent = submitted(store)
    child = submitted_after(store, parent)

    store.cancel([child])
    end_next(store)

    assert states_of(store, [parent, child]) == [State.SUCCEEDED, State.CANCELLED]
    assert store.check() == []


def test_running_parent_that_is_asked_to_stop_takes_its_child_along(store: Store) -> None:
    parent = submitted(store)
    child = submitted_after(store, parent)
    worker = registered(store)
    attempt = claim_one(store, worker)
    store.cancel([parent])
    between = state_of(store, child)

    store.ack(worker, [(attempt, Retried(ERROR, 1.0))])

    assert (between, state_of(store, child)) == (State.BLOCKED, State.CANCELLED)


# Retry.


def test_retried_parent_leaves_its_failed_child_as_it_is(store: Store) -> None:
    parent = submitted(store)
    child = submitted_after(store, parent)
    end_next(store, Failed(ERROR))

    store.retry([parent])
    end_next(store)

    assert (state_of(store, child), store.check()) == (State.FAILED, [])


def test_child_that_is_retried_with_its_parent_waits_for_it_again(store: Store) -> None:
    parent = submitted(store)
    child = submitted_after(store, parent)
    end_next(store, Failed(ERROR))

    after = store.retry([child, parent])
    assert after == {parent: State.READY, child: State.BLOCKED} == store.states([parent, child])
    assert store.check() == []
    end_next(store)

    assert (state_of(store, child), store.check()) == (State.READY, [])


def test_child_of_a_failed_parent_cannot_be_retried_alone(store: Store) -> None:
    parent = submitted(store)
    child = submitted_after(store, parent)
    end_next(store, Failed(ERROR))

    after = store.retry([child])

    assert (after, state_of(store, child)) == ({child: State.FAILED}, State.FAILED)


def test_child_that_failed_by_itself_is_retried_at_once(store: Store) -> None:
    submitted_after(store, submitted(store))
    end_next(store)
    child = end_next(store, Failed(ERROR))

    after = store.retry([child])

    assert (after, store.check()) == ({child: State.READY}, [])


# Many.


def test_many_children_of_one_job(store: Store) -> None:
    parent = submitted(store)
    children = [child_of(parent) for _ in range(MANY)]
    store.submit(children)

    end_next(store)
    at_once = states_of(store, [child.id for child in children]).count(State.READY)
    unblock_all(store)

    assert 0 < at_once < 1000
    assert set(states_of(store, [child.id for child in children])) == {State.READY}
    assert store.check() == []


def test_many_parents_of_one_job(store: Store) -> None:
    parents = [new_job() for _ in range(MANY)]
    store.submit(parents)
    child = submitted_after(store, *(parent.id for parent in parents))

    while end_all_ready(store) not in ([], [child]):
        unblock_all(store)

    assert (state_of(store, child), store.check()) == (State.SUCCEEDED, [])


@pytest.mark.parametrize("how", ["fail", "cancel"])
def test_end_of_a_long_chain_comes_link_by_link(store: Store, how: str) -> None:
    first = new_job()
    chain = [first]
    while len(chain) < 200:
        chain.append(child_of(chain[-1].id))
    store.submit(chain)

    if how == "fail":
        end_next(store, Failed(ERROR))
        unblock_all(store)
    else:
        store.cancel([first.id])

    expected = State.FAILED if how == "fail" else State.CANCELLED
    assert set(states_of(store, [job.id for job in chain])) == {expected}
    assert store.check() == []


# Prune, check and repair.


def test_parent_of_an_unfinished_job_is_not_pruned(store: Store) -> None:
    parent = submitted(store)
    child = submitted_after(store, parent)
    end_next(store)
    execute(store, "UPDATE outcome SET finished_at = 1")

    kept = store.prune(older_than=60)
    end_next(store)
    execute(store, "UPDATE outcome SET finished_at = 1")
    gone = store.prune(older_than=60)

    assert (kept, gone) == (0, 2)
    assert (store.states([parent, child]), store.check()) == ({}, [])


def test_check_names_what_waits_for_a_job_that_has_ended_and_repair_lets_it_run(
    store: Store,
) -> None:
    child = submitted_after(store, submitted(store))
    end_next(store)
    execute(store, "INSERT INTO blocked (seq, pending) SELECT seq, 2 FROM ready")
    execute(store, "DELETE FROM ready")
    execute(store, "UPDATE dependency SET is_over = 0")

    found = store.check()
    store.repair()
    unblock_all(store)

    assert any("wait" in sentence for sentence in found)
    assert (state_of(store, child), store.check()) == (State.READY, [])


# Look.


def test_relatives_of_a_job_are_told_with_their_states(store: Store) -> None:
    parents = [submitted(store), submitted(store)]
    job_id = submitted_after(store, *parents)
    child = submitted_after(store, job_id)
    end_next(store)

    found = store.relatives(job_id)
    first = store.relatives(job_id, most=1)

    assert [(one.id, one.task, one.state) for one in found.parents] == [
        (parents[0], "jobs:work", State.SUCCEEDED),
        (parents[1], "jobs:work", State.READY),
    ]
    assert [(one.id, one.state) for one in found.children] == [(child, State.BLOCKED)]
    assert (len(first.parents), first.parent_count, first.child_count) == (1, 2, 1)


def test_job_without_relatives_has_none(store: Store) -> None:
    found = store.relatives(submitted(store))

    assert (found.parents, found.children) == ((), ())
