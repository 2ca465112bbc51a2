"""What every store promises, on every database: which jobs cannot begin before one that waits for them has ended."""

from dataclasses import replace

from lightwork.lifecycle import Succeeded
from lightwork.model import Limit
from lightwork.store.contract import Store
from store.steps import LANES, claim_one, new_job, registered


def test_job_is_held_up_by_the_only_one_that_holds_its_limit(store: Store) -> None:
    one = (Limit("one", running=1),)
    parent, child, free = (new_job() for _ in range(3))
    store.submit([replace(parent, limits=one)])
    worker = registered(store)
    attempt = claim_one(store, worker)
    store.submit([replace(child, limits=one), free])

    while_it_runs = store.held_up(parent.id, [child.id, free.id, parent.id])
    store.ack(worker, [(attempt, Succeeded(b""))])

    assert (while_it_runs, store.held_up(parent.id, [child.id])) == ({child.id: "one"}, {})


def test_job_whose_limit_another_holds_too_is_not_held_up(store: Store) -> None:
    two = (Limit("two", running=2),)
    parent, other, child = (replace(new_job(), limits=two) for _ in range(3))
    store.submit([parent, other])
    worker = registered(store)
    store.claim(worker, lanes=LANES, limit=2)
    store.submit([child])

    assert store.held_up(parent.id, [child.id]) == {}


def test_job_is_held_up_by_one_that_it_was_submitted_after(store: Store) -> None:
    parent, free = new_job(), new_job()
    store.submit([parent])
    claim_one(store, registered(store))
    child = replace(new_job(), after=(parent.id,))
    store.submit([child, free])

    assert store.held_up(parent.id, [free.id, child.id]) == {child.id: ""}
