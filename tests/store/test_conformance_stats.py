"""Conformance: how much a store holds, told without counting what is large."""

import pytest

from lightwork.store.admin import sizes
from lightwork.store.contract import Store
from store.steps import new_job, submitted


def test_rows_and_the_oldest_and_the_largest_are_told(store: Store) -> None:
    jobs = [new_job(payload=b"x" * size) for size in (10, 100_000, 1000)]
    store.submit(jobs)

    stats = store.stats()

    rows = {table.name: table.rows for table in stats.tables}
    assert (rows["job"], rows["ready"], rows["outcome"]) == (3, 3, 0)
    assert not any(table.is_estimate for table in stats.tables)
    assert [found.size for found in stats.largest] == [100_000, 1000, 10]
    assert stats.largest[0].id == jobs[1].id
    assert stats.oldest_ready >= 0
    assert stats.size > 0


def test_what_is_large_is_estimated(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "COUNTED", 2)
    for _ in range(5):
        submitted(store)

    found = {table.name: table for table in store.stats().tables}

    assert found["job"].is_estimate
    assert found["job"].rows >= 3
    assert not found["outcome"].is_estimate
