"""What every store promises when a parent ends while others look: two connections, at the same moment."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from lightwork.errors import UsageError
from lightwork.lifecycle import Failed, Succeeded
from lightwork.model import NewJob, State
from lightwork.net.opening import open_store
from lightwork.store.contract import Store
from store.steps import ERROR, claim_one, execute, new_job, registered, submitted

ROUNDS = 15


@pytest.fixture
def other(store: Store) -> Iterator[Store]:
    opened = open_store(store.url)
    yield opened
    opened.close()


def child_of(*parents: NewJob) -> NewJob:
    return replace(new_job(), after=tuple(parent.id for parent in parents))


def at_once(*acts: Callable[[], object]) -> None:
    """Do all of it at the same moment, each in a thread of its own."""
    barrier = threading.Barrier(len(acts))

    def act(number: int) -> None:
        barrier.wait(60)
        acts[number]()

    with ThreadPoolExecutor(len(acts)) as threads:
        list(threads.map(act, range(len(acts))))


@pytest.mark.parametrize(
    ("end", "expected"),
    [(Succeeded(b""), State.READY), (Failed(ERROR), State.FAILED)],
    ids=["succeeds", "fails"],
)
def test_child_that_is_submitted_while_its_parent_ends_never_waits_for_ever(
    store: Store, other: Store, end: Succeeded | Failed, expected: State
) -> None:
    worker, children = registered(other), []
    for _ in range(ROUNDS):
        parent = new_job(queue="parents")
        other.submit([parent])
        (attempt,) = other.claim(worker, lanes=other.lanes(["parents"]), limit=1)
        children.append(child := child_of(parent))

        at_once(
            lambda child=child: store.submit([child]),  # type: ignore[misc]
            lambda attempt=attempt: other.ack(worker, [(attempt, end)]),  # type: ignore[misc]
        )

    assert set(store.states([child.id for child in children]).values()) == {expected}
    assert store.check() == []


def test_child_that_is_submitted_while_its_parent_is_cancelled_is_cancelled(
    store: Store, other: Store
) -> None:
    children = []
    for _ in range(ROUNDS):
        parent = new_job()
        store.submit([parent])
        children.append(child := child_of(parent))

        at_once(
            lambda child=child: store.submit([child]),  # type: ignore[misc]
            lambda parent=parent: other.cancel([parent.id]),  # type: ignore[misc]
        )

    assert set(store.states([child.id for child in children]).values()) == {State.CANCELLED}
    assert store.check() == []


def test_child_that_is_submitted_while_its_parent_is_claimed_waits(
    store: Store, other: Store
) -> None:
    worker, children = registered(other), []
    for _ in range(ROUNDS):
        parent = new_job(queue="parents")
        store.submit([parent])
        children.append(child := child_of(parent))

        at_once(
            lambda child=child: store.submit([child]),  # type: ignore[misc]
            lambda: other.claim(worker, lanes=other.lanes(["parents"]), limit=1),
        )

    assert set(store.states([child.id for child in children]).values()) == {State.BLOCKED}
    assert store.check() == []


def test_parents_that_end_at_the_same_moment_are_counted_each(store: Store, other: Store) -> None:
    mine, theirs, children = registered(store), registered(other), []
    for _ in range(ROUNDS):
        parents = [new_job(queue="parents"), new_job(queue="parents")]
        store.submit(parents)
        lanes = store.lanes(["parents"])
        (first,) = store.claim(mine, lanes=lanes, limit=1)
        (second,) = other.claim(theirs, lanes=lanes, limit=1)
        children.append(child := child_of(*parents))
        store.submit([child])

        at_once(
            lambda one=first: store.ack(mine, [(one, Succeeded(b""))]),  # type: ignore[misc]
            lambda one=second: other.ack(theirs, [(one, Succeeded(b""))]),  # type: ignore[misc]
        )

    assert set(store.states([child.id for child in children]).values()) == {State.READY}
    assert store.check() == []


def test_parent_is_not_pruned_under_the_hands_of_a_submit(store: Store, other: Store) -> None:
    for _ in range(ROUNDS):
        parent = submitted(store)
        worker = registered(store)
        store.ack(worker, [(claim_one(store, worker), Succeeded(b""))])
        execute(store, "UPDATE outcome SET finished_at = 1")
        child = replace(new_job(task="jobs:child"), after=(parent,))
        refused: list[UsageError] = []

        def submit(child: NewJob = child, refused: list[UsageError] = refused) -> None:
            try:
                store.submit([child])
            except UsageError as error:
                refused.append(error)

        at_once(submit, lambda: other.prune(older_than=60))

        state = store.states([child.id]).get(child.id)
        is_parent_there = bool(store.states([parent]))
        # It waits for a result that is there, or was told at once that there is none.
        assert (state == State.READY) == is_parent_there
        assert refused or state in (State.READY, State.FAILED)
        store.cancel([child.id])
    assert store.check() == []
