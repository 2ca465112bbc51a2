"""Conformance: how many jobs have finished is known exactly, whether it was folded or not."""

import threading

from lightwork.lifecycle import Failed, Succeeded
from lightwork.model import State
from lightwork.store.sqlstore import SqlStore
from net.served import database_url
from store.steps import ERROR, LANES, execute, new_job, registered


def finish(store: SqlStore, ends: int, batches: int) -> None:
    """Let so many jobs succeed in each of some acks, and one fail."""
    worker = registered(store)
    for _ in range(batches):
        store.submit([new_job() for _ in range(ends + 1)])
        failed, *others = store.claim(worker, lanes=LANES, limit=ends + 1)
        store.ack(worker, [(failed, Failed(ERROR)), *((one, Succeeded(b"")) for one in others)])


def counts(store: SqlStore) -> tuple[int, int]:
    states = store.summary().states
    return states[State.SUCCEEDED], states[State.FAILED]


def is_server(store: SqlStore) -> bool:
    return not database_url(store).startswith("sqlite")


def test_what_was_appended_counts_before_it_is_folded(store: SqlStore) -> None:
    finish(store, 3, batches=2)

    assert counts(store) == (6, 2)
    assert store.check() == []


def test_folding_changes_no_count(store: SqlStore) -> None:
    finish(store, 3, batches=2)

    folded = store.fold()

    assert folded == (4 if is_server(store) else 0)
    assert counts(store) == (6, 2)
    assert (store.check(), store.fold()) == ([], 0)


def test_folding_is_bounded_and_goes_on_where_it_ended(store: SqlStore) -> None:
    finish(store, 1, batches=3)

    folded = [store.fold(limit=4) for _ in range(3)]

    assert folded == ([4, 2, 0] if is_server(store) else [0, 0, 0])
    assert counts(store) == (3, 3)


def test_what_is_pruned_or_run_again_counts_no_more(store: SqlStore) -> None:
    finish(store, 3, batches=1)
    store.fold()
    (failed,) = [view.id for view in store.jobs(state=State.FAILED)]

    store.retry([failed])
    store.prune(older_than=-60)

    assert counts(store) == (0, 0)
    assert store.check() == []
    store.fold()
    assert counts(store) == (0, 0)


def test_folding_at_once_counts_nothing_twice(store: SqlStore) -> None:
    finish(store, 1, batches=30)
    threads = [threading.Thread(target=lambda: store.fold(limit=7)) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.fold()

    assert counts(store) == (30, 30)
    assert store.check() == []


def test_a_wrong_count_is_told_and_put_right(store: SqlStore) -> None:
    finish(store, 3, batches=1)
    execute(store, "INSERT INTO tally_delta (queue, state, jobs) VALUES ('default', 'failed', 5)")

    (problem,) = store.check()
    store.repair()

    assert "says 6 failed, there are 1" in problem
    assert (store.check(), counts(store)) == ([], (3, 1))
