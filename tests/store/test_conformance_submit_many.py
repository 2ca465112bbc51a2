"""Conformance: as many jobs in one call as there are, of which only a few are in memory at a time."""

import asyncio
import gc
import uuid
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lightwork.durable import control
from lightwork.durable.executor import DurableExecutor
from lightwork.durable.jobs import BATCH, BATCH_BYTES
from lightwork.errors import PayloadError, StoreUnavailable
from lightwork.model import NewJob, State
from lightwork.tasks.task import task
from waiting import wait_until

MANY = 20_000
# One that is being kept, and the next one that is being taken.
TWO_BATCHES = 2 * BATCH + 2


@dataclass(frozen=True, eq=False)
class Item:
    number: int
    text: str = ""


@task
def take(item: Item) -> None: ...


@task
def store_text(text: str) -> None: ...


@pytest.fixture
def executor(url: str) -> Iterator[DurableExecutor]:
    with DurableExecutor(url) as opened:
        yield opened


def _count_jobs() -> int:
    gc.collect()
    return sum(type(one) is NewJob for one in gc.get_objects())


class Watched:
    """Items that are made when they are taken, and how many of what there is then."""

    def __init__(self) -> None:
        self.most_items = 0
        self.most_jobs = 0
        self.taken = 0
        # Those of other tests, of which some may be kept.
        self.jobs_before = _count_jobs()

    def calls(self, count: int) -> Iterator[tuple[Item]]:
        alive: weakref.WeakSet[Item] = weakref.WeakSet()
        for number in range(count):
            item = Item(number, "some text to carry")
            alive.add(item)
            self.taken += 1
            self.most_items = max(self.most_items, len(alive))
            # Not at the borders of batches. To look at all objects takes long.
            if number % 12_345 == 777:
                self.most_jobs = max(self.most_jobs, _count_jobs() - self.jobs_before)
            yield (item,)


@pytest.mark.database
def test_many_thousand_jobs_are_never_in_memory_together(executor: DurableExecutor) -> None:
    watched = Watched()

    futures = executor.submit_many(take, watched.calls(MANY))

    assert len({future.job_id for future in futures}) == MANY
    assert executor.store.summary().states[State.READY] == MANY
    # An argument is bytes as soon as it is taken.
    assert 0 < watched.most_items <= 3
    assert BATCH // 2 < watched.most_jobs <= TWO_BATCHES


def test_large_payloads_are_kept_a_few_at_a_time(executor: DurableExecutor) -> None:
    text = "x" * (BATCH_BYTES // 4)
    kept: list[int] = []

    def calls() -> Iterator[tuple[str]]:
        for _ in range(10):
            kept.append(len(executor.store.jobs(limit=20)))
            yield (text,)

    executor.submit_many(store_text, calls())

    assert len(executor.store.jobs(limit=20)) == 10
    # Before each is taken, all but the last few are kept.
    assert all(taken - count <= 4 for taken, count in enumerate(kept))


def failing(good: int) -> Iterator[tuple[Item]]:
    for number in range(good):
        yield (Item(number),)
    raise OSError("the file ends here")


def test_with_a_key_what_was_kept_stays_and_the_same_call_sends_the_rest(
    executor: DurableExecutor,
) -> None:
    with pytest.raises(OSError, match="ends here"):
        executor.submit_many(take, failing(2 * BATCH + 1), key="import")
    kept = executor.store.summary().states[State.READY]

    calls = ((Item(number),) for number in range(3 * BATCH))
    futures = executor.submit_many(take, calls, key="import")

    assert kept == 2 * BATCH
    assert len({future.job_id for future in futures}) == 3 * BATCH
    assert executor.store.summary().states[State.READY] == 3 * BATCH


def test_without_a_key_what_was_kept_is_cancelled(executor: DurableExecutor) -> None:
    before = executor.submit_many(take, [(Item(1),)])

    with pytest.raises(OSError, match="ends here"):
        executor.submit_many(take, failing(2 * BATCH + 1))

    states = executor.store.summary().states
    assert (states[State.READY], states[State.CANCELLED]) == (1, 2 * BATCH)
    assert not before[0].done()


def test_in_a_coroutine_the_same_is_kept_and_the_same_cancelled(executor: DurableExecutor) -> None:
    async def submit() -> None:
        calls = ((Item(number),) for number in range(BATCH + 1))
        assert len(await executor.submit_many_async(take, calls)) == BATCH + 1
        await executor.submit_many_async(take, failing(BATCH + 1))

    with pytest.raises(OSError, match="ends here"):
        asyncio.run(submit())

    def states() -> tuple[int, int]:
        found = executor.store.summary().states
        return found[State.READY], found[State.CANCELLED]

    wait_until(lambda: states() == (BATCH + 1, BATCH), "what was kept in vain is cancelled")


@pytest.mark.parametrize("away", [2, 9])
def test_what_cuts_off_the_submit_may_cut_off_the_cancel_as_well(
    executor: DurableExecutor, monkeypatch: pytest.MonkeyPatch, away: int
) -> None:
    cancel, tries = executor.store.cancel, iter(range(away))

    def cut_off(*args: Any, **options: Any) -> Any:
        if next(tries, None) is None:
            return cancel(*args, **options)
        raise StoreUnavailable("cut off")

    monkeypatch.setattr(control, "_PAUSE", 0.0)
    monkeypatch.setattr(executor.store, "cancel", cut_off)
    with pytest.raises(OSError, match="ends here") as raised:
        executor.submit_many(take, failing(BATCH + 1))

    states = executor.store.summary().states
    if away == 2:
        assert states[State.CANCELLED] == BATCH
    else:
        assert states[State.READY] == BATCH
        assert "may stay and run" in raised.value.__notes__[0]


def test_what_fails_in_the_first_batch_has_kept_nothing(executor: DurableExecutor) -> None:
    calls = [("x",)] * 5 + [(object(),)]

    with pytest.raises(PayloadError):
        executor.submit_many(store_text, calls)

    assert executor.store.jobs() == []


def test_jobs_of_others_that_stand_for_ours_are_not_cancelled(executor: DurableExecutor) -> None:
    unique = take.options(unique="one")
    (held,) = executor.submit_many(unique, [(Item(1),)])

    with pytest.raises(OSError, match="ends here"):
        executor.submit_many(unique, failing(BATCH + 1))

    assert executor.store.states([held.job_id]) == {held.job_id: State.READY}
    assert isinstance(held.job_id, uuid.UUID)
