"""Counting: what workers add to the history of a store, and what a worker's death costs of it."""

import uuid
from collections import Counter
from collections.abc import Callable
from typing import get_args

from lightwork import lifecycle
from lightwork.errors import StoreUnavailable
from lightwork.model import ErrorInfo
from lightwork.store.contract import Store
from lightwork.work.news.counting import _WORDS, Counting
from lightwork.work.service import Worker
from work.jobs import fail_once, note, submit
from work.made import attempt

ERROR = ErrorInfo(type="ValueError", text="no")


def counted(store: Store) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for one in store.totals():
        found[one.task, one.measure] += one.jobs
    return found


def test_a_worker_counts_ends_and_how_long_jobs_ran_and_waited(
    store: Store, make: Callable[..., Worker]
) -> None:
    for number in range(10):
        submit(store, note, number)
    make(burst=True).run()

    found = counted(store)

    assert found[note.name, "succeeded"] == 10
    assert found[note.name, "run"] == found[note.name, "wait"] == 10
    assert {one.queue for one in store.totals()} == {"default"}


def test_a_failure_that_is_retried_is_counted_as_such(
    store: Store, make: Callable[..., Worker]
) -> None:
    job_id = submit(store, fail_once)
    worker = make(burst=False)
    worker.start()
    while store.outcomes([job_id]) == {}:
        store.wait_for_change(-1, 0.01)
    worker.stop()
    worker.join()

    found = counted(store)

    assert (found[fail_once.name, "retried"], found[fail_once.name, "succeeded"]) == (1, 1)
    assert found[fail_once.name, "wait"] == 2


def test_what_is_not_sent_yet_is_kept_while_the_store_is_away(store: Store) -> None:
    class Away:
        def add_rollups(self, *_: object) -> None:
            raise StoreUnavailable("away")

    counting, worker = Counting(store), uuid.uuid4()
    counting.ended([(attempt("m:f"), lifecycle.Failed(ERROR), 0.5)])
    counting._store = Away()  # type: ignore[assignment]
    counting.send(worker)
    counting._store = store

    counting.send(worker)
    counting.send(worker)

    assert counted(store) == {("m:f", "failed"): 1, ("m:f", "run"): 1}
    assert sum(one.total_ms for one in store.totals()) == 500


def test_nothing_is_written_where_nothing_has_happened(store: Store) -> None:
    before = store.changes()

    counting = Counting(store)
    counting._send_at = counting._fold_at = 0.0
    counting.send_due(uuid.uuid4())

    assert store.changes() == before


def test_every_end_of_an_attempt_fits_into_the_column() -> None:
    words = {word for end in _WORDS.values() for word in end}

    assert set(_WORDS) == set(get_args(lifecycle.AttemptEnd))
    assert max(map(len, words)) <= 10
