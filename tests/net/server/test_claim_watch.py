"""Workers that wait are told where jobs are ready, one after another, and of nothing else."""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from lightwork.lifecycle import Succeeded
from lightwork.model import DEFAULT_QUEUE, Lane
from lightwork.net.server import claim_watch
from lightwork.net.server.claim_watch import ClaimWatch
from lightwork.net.wire.about import Poll, Polled
from lightwork.store.contract import Store
from store.steps import claim_one, new_job, registered, submitted

T = TypeVar("T")
QUEUES = [DEFAULT_QUEUE]


async def never() -> None:
    await asyncio.Event().wait()


def watching(store: Store, then: Callable[[ClaimWatch], Awaitable[T]]) -> T:
    """Do something with the polls of a server."""

    async def run(call: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, call)

    async def both() -> T:
        watch = ClaimWatch(store, "me", run)
        try:
            return await asyncio.wait_for(then(watch), 30)
        finally:
            await watch.close(run)

    return asyncio.run(both())


async def parked(watch: ClaimWatch, *polls: Poll) -> list["asyncio.Task[Polled]"]:
    """Park polls, in this order."""
    tasks = []
    for number, poll in enumerate(polls, watch.parked + 1):
        tasks.append(asyncio.ensure_future(watch.poll(poll, never())))
        while watch.parked < number:
            await asyncio.sleep(0.001)
    return tasks


def poll(store: Store, *workers: uuid.UUID, queues: list[str] = QUEUES) -> Poll:
    return Poll("me", store.changes(), 20.0, list(workers), queues)


def test_a_job_is_told_to_who_has_waited_longest_and_taken_by_it_to_nobody_else(
    database: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long it takes to claim here: the moment is over when we say so.
    monkeypatch.setattr(claim_watch, "NEXT_SECONDS", 3600.0)
    workers = [registered(database) for _ in range(3)]

    async def one_job(watch: ClaimWatch) -> tuple[Polled, int]:
        first, *_ = await parked(watch, *(poll(database, worker) for worker in workers))
        await asyncio.to_thread(database.submit, [new_job()])
        told = await first
        await asyncio.to_thread(claim_one, database, workers[0])
        (waiting,) = watch._next.values()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        monkeypatch.setattr(claim_watch, "NEXT_SECONDS", 0.0)
        watch._next[tuple(QUEUES)] = later = asyncio.ensure_future(
            watch._tell_others(tuple(QUEUES), 2)
        )
        await later
        return told, watch.parked

    told, still = watching(database, one_job)

    assert [lane.queue for lane in told.lanes] == QUEUES
    assert (told.number, still) == (database.changes(), 2)


def test_what_nobody_takes_is_told_to_all(database: Store) -> None:
    async def one_job(watch: ClaimWatch) -> list[Polled]:
        polls = await parked(watch, *(poll(database) for _ in range(20)))
        await asyncio.to_thread(database.submit, [new_job()])
        return await asyncio.gather(*polls)

    assert all(told.lanes for told in watching(database, one_job))


def test_what_gives_a_worker_nothing_to_do_wakes_it_not(database: Store) -> None:
    worker = registered(database)
    held = submitted(database)
    attempt = claim_one(database, worker)

    async def changes(watch: ClaimWatch) -> bool:
        (waiting,) = await parked(watch, poll(database, worker))
        before = watch._changed
        await asyncio.to_thread(database.ack, worker, [(attempt, Succeeded(b""))])
        await asyncio.to_thread(database.submit, [new_job(queue="another")])
        while watch._known != database.changes() or watch._changed == before:
            await asyncio.sleep(0.001)
        return waiting.done()

    assert watching(database, changes) is False
    assert database.outcomes([held])


def test_a_worker_that_is_to_end_is_told_so_and_no_other(database: Store) -> None:
    leaving, other = registered(database), registered(database)

    async def drained(watch: ClaimWatch) -> tuple[Polled, bool]:
        first, second = await parked(watch, poll(database, leaving), poll(database, other))
        await asyncio.to_thread(database.drain, [leaving])
        return await first, second.done()

    told, is_other_told = watching(database, drained)

    assert (told.is_ending, told.lanes, is_other_told) == (True, [], False)


@pytest.mark.parametrize("is_known", [True, False])
def test_who_comes_after_a_change_is_told_of_it(database: Store, is_known: bool) -> None:
    async def later(watch: ClaimWatch) -> Polled:
        before = poll(database)
        if is_known:
            # The thread has seen it, as another poll was parked.
            (other,) = await parked(watch, before)
            await asyncio.to_thread(database.submit, [new_job()])
            await other
        else:
            await asyncio.to_thread(database.submit, [new_job()])
        return await watch.poll(before, never())

    assert watching(database, later).lanes


def test_who_has_been_told_is_told_again_after_a_change_only(database: Store) -> None:
    async def twice(watch: ClaimWatch) -> tuple[Polled, Polled]:
        before = poll(database)
        await asyncio.to_thread(database.submit, [new_job()])
        told = await watch.poll(before, never())
        short = Poll("me", told.number, 0.05, [], QUEUES)
        return told, await watch.poll(short, never())

    told, again = watching(database, twice)

    assert (bool(told.lanes), again.lanes, again.number) == (True, [], told.number)


def test_a_submit_of_this_server_is_told_to_one_alone_before_anybody_looks(
    database: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long it takes here: the moment is over when we say so.
    monkeypatch.setattr(claim_watch, "NEXT_SECONDS", 3600.0)
    monkeypatch.setattr(claim_watch, "SAME_SECONDS", 3600.0)
    job = new_job()

    async def one_job(watch: ClaimWatch) -> tuple[Polled, int]:
        first, *_ = await parked(watch, *(poll(database) for _ in range(3)))
        before = watch._changed
        watch.note_submitted([job])
        told = await first
        await asyncio.to_thread(database.submit, [job])
        while watch._changed == before:
            await asyncio.sleep(0.001)
        return told, watch.parked

    told, still = watching(database, one_job)

    assert told.lanes == [Lane(DEFAULT_QUEUE, job.task)]
    assert still == 2


def test_a_submit_that_nobody_takes_is_told_to_the_others_a_moment_later(database: Store) -> None:
    job = new_job()

    async def one_job(watch: ClaimWatch) -> list[Polled]:
        polls = await parked(watch, *(poll(database) for _ in range(5)))
        watch.note_submitted([job])
        await asyncio.to_thread(database.submit, [job])
        return await asyncio.gather(*polls)

    assert all(told.lanes for told in watching(database, one_job))


def test_a_job_that_cannot_begin_yet_is_told_to_nobody(database: Store) -> None:
    later = new_job(delay=3600.0)

    async def no_job(watch: ClaimWatch) -> bool:
        (waiting,) = await parked(watch, poll(database))
        watch.note_submitted([later, new_job(queue="another")])
        await asyncio.sleep(0)
        return waiting.done()

    assert watching(database, no_job) is False


def test_a_worker_that_is_to_end_hears_it_though_others_are_being_told(
    database: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_watch, "NEXT_SECONDS", 3600.0)
    leaving = registered(database)

    async def drained(watch: ClaimWatch) -> Polled:
        before = poll(database, leaving)
        await parked(watch, poll(database), poll(database))
        await asyncio.to_thread(database.submit, [new_job()])
        while not watch._next:
            await asyncio.sleep(0.001)
        seen = watch._changed
        await asyncio.to_thread(database.drain, [leaving])
        while watch._changed == seen:
            await asyncio.sleep(0.001)
        return await watch.poll(before, never())

    assert watching(database, drained).is_ending


def test_who_comes_between_the_look_and_its_news_looks_itself(database: Store) -> None:
    async def late(watch: ClaimWatch) -> Polled:
        (waiting,) = await parked(watch, poll(database))
        await asyncio.to_thread(database.submit, [new_job()])
        # As of a look that was for others: this one was not parked then.
        watch._note_news(database.changes(), claim_watch._Seen({}, frozenset()))
        return await waiting

    assert watching(database, late).lanes


def test_its_time_ends_and_so_does_its_server(database: Store) -> None:
    async def both(watch: ClaimWatch) -> tuple[Polled, Polled]:
        over = await watch.poll(Poll("me", database.changes(), 0.01, [], QUEUES), never())
        (waiting,) = await parked(watch, poll(database))
        watch.stop()
        return over, await waiting

    over, ended = watching(database, both)

    assert over.back_off == 0
    assert ended.back_off > 0


@pytest.mark.parametrize("seed", range(5))
def test_no_job_is_left_while_somebody_waits_whoever_is_deaf(database: Store, seed: int) -> None:
    chance = random.Random(seed)
    jobs, workers = 30, 4
    left = jobs

    async def work(watch: ClaimWatch, worker: uuid.UUID) -> None:
        nonlocal left
        seen: int | None = None
        while left:
            told = await watch.poll(Poll("me", seen, 20.0, [worker], QUEUES), never())
            seen = told.number
            if chance.random() < 0.3:
                # It has heard nothing of it, or has no slot.
                continue
            await asyncio.sleep(chance.random() / 100)
            while claimed := await asyncio.to_thread(claim_some, worker):
                left -= claimed

    def claim_some(worker: uuid.UUID) -> int:
        lanes = database.lanes(QUEUES)
        return len(database.claim(worker, lanes=lanes, limit=chance.randint(1, 3)))

    async def crowd(watch: ClaimWatch) -> None:
        ids = [await asyncio.to_thread(registered, database) for _ in range(workers)]
        working = [asyncio.ensure_future(work(watch, one)) for one in ids]
        for _ in range(jobs):
            await asyncio.sleep(chance.random() / 50)
            await asyncio.to_thread(database.submit, [new_job()])
        # Those that are deaf the last time hear nothing any more: another change is what they wait for.
        while left:
            await asyncio.sleep(0.02)
            await asyncio.to_thread(database.drain, [uuid.uuid4()])
            if not watch._next:
                await asyncio.to_thread(database.submit, [new_job(queue="another")])
        for one in working:
            one.cancel()

    watching(database, crowd)

    assert left == 0
