"""Heartbeats of many workers are one call of the store."""

import asyncio
import uuid
from collections.abc import Callable, Iterable
from typing import cast

import pytest

from lightwork.errors import StoreUnavailable, UsageError
from lightwork.net.client.client import ServerStore
from lightwork.net.server.heartbeats import Heartbeats
from lightwork.store.contract import Store
from net.server.asked import ask
from store.steps import registered


class Renewals:
    """Passes as a store: knows when it was asked, and for whom."""

    def __init__(self, answer: Callable[[set[uuid.UUID]], set[uuid.UUID]]) -> None:
        self.asked: list[tuple[set[uuid.UUID], float]] = []
        self._answer = answer

    def renew_all(self, worker_ids: Iterable[uuid.UUID], *, lease: float) -> set[uuid.UUID]:
        ids = set(worker_ids)
        self.asked.append((ids, lease))
        return self._answer(ids)


def renewed(store: Renewals, *leases: tuple[uuid.UUID, float]) -> list[bool | BaseException]:
    async def all_of_them() -> list[bool | BaseException]:
        beats = Heartbeats(cast("Store", store), asyncio.to_thread)
        return await asyncio.gather(
            *(beats.renew(worker, lease) for worker, lease in leases), return_exceptions=True
        )

    return asyncio.run(all_of_them())


def test_renewals_that_come_together_are_one_call_and_each_hears_its_own() -> None:
    workers = [uuid.uuid4() for _ in range(100)]
    store = Renewals(lambda ids: ids - {workers[3]})

    answers = renewed(store, *((worker, 1.0) for worker in workers))

    assert answers == [worker != workers[3] for worker in workers]
    assert store.asked == [(set(workers), 1.0)]


@pytest.mark.parametrize("lease", [float("nan"), -1.0, float("inf")])
def test_a_lease_that_makes_no_sense_is_nobody_elses_error(lease: float) -> None:
    one, other = uuid.uuid4(), uuid.uuid4()

    def answer(ids: set[uuid.UUID]) -> set[uuid.UUID]:
        if other in ids:
            raise UsageError("no such lease")
        return ids

    is_renewed, error = renewed(Renewals(answer), (one, 1.0), (other, lease))

    assert is_renewed is True
    assert isinstance(error, UsageError)


def test_all_hear_that_the_store_is_out_of_reach() -> None:
    def refuse(_: set[uuid.UUID]) -> set[uuid.UUID]:
        raise StoreUnavailable("away")

    answers = renewed(Renewals(refuse), (uuid.uuid4(), 1.0), (uuid.uuid4(), 1.0))

    assert [type(one) for one in answers] == [StoreUnavailable] * 2


def test_who_is_dead_or_unknown_is_told_so_beside_who_lives(
    client: ServerStore, database: Store
) -> None:
    living, dead = registered(database), registered(database)
    database.sign_off(dead)

    assert database.renew_all([living, dead, uuid.uuid4()], lease=60.0) == {living}
    assert client.renew_all([living, dead, uuid.uuid4()], lease=0.1) == {living}
    database.sign_off(living)


def test_a_lease_without_end_is_an_error_of_who_asks(url: str) -> None:
    said = {"worker_id": str(uuid.uuid4()), "lease": 1e400}

    assert ask(url, "POST", "/v1/store/renew", said).status == 422
