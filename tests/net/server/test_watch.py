"""Polls are parked: without a thread, without a connection, and until something is news."""

import asyncio
import threading
import time
import uuid

import pytest
from click.testing import CliRunner

from lightwork.cli.main import cli
from lightwork.model import WorkerInfo
from lightwork.net.client.client import ServerStore
from lightwork.net.server.app import App
from lightwork.net.server.pollers import Pollers
from lightwork.net.server.watch import Watch
from lightwork.net.wire.about import Poll, Polled
from lightwork.store.contract import Store
from lightwork.store.views import NOT_POLLING
from net.served import served
from store.steps import new_job
from waiting import wait_until


async def never() -> None:
    await asyncio.Event().wait()


async def at_once() -> None:
    pass


async def watch_of(store: Store) -> Watch:
    async def number() -> int:
        return await asyncio.get_running_loop().run_in_executor(None, store.changes)

    return Watch(store, "me", number)


async def run(join: object) -> None:
    await asyncio.to_thread(join)  # type: ignore[arg-type]


def parked(store: Store, count: int, gone: object, then: object) -> list[Polled]:
    """Park so many polls, do something, and return their answers."""

    async def both() -> list[Polled]:
        watch = await watch_of(store)
        seen = store.changes()
        polls = [
            asyncio.ensure_future(watch.poll(Poll("me", seen, 20.0), gone()))  # type: ignore[operator]
            for _ in range(count)
        ]
        while watch.parked < count and not all(poll.done() for poll in polls):
            await asyncio.sleep(0.001)
        threads = threading.active_count()
        await asyncio.to_thread(then, watch)  # type: ignore[arg-type]
        answers = await asyncio.wait_for(asyncio.gather(*polls), 10)
        # One watches, whoever waits; and there are those of the default executor.
        assert threads < count or count < 100
        await watch.close(run)
        return answers

    return asyncio.run(both())


def test_a_change_wakes_all_who_are_parked_whoever_has_made_it(database: Store) -> None:
    answers = parked(database, 300, never, lambda _: database.submit([new_job()]))

    assert len({answer.number for answer in answers}) == 1
    assert answers[0].number == database.changes()


def test_one_whose_client_goes_away_is_not_parked_any_more(database: Store) -> None:
    began = time.monotonic()

    parked(database, 3, at_once, lambda _: None)

    assert time.monotonic() - began < 10


def test_the_end_answers_all_with_times_of_their_own_to_come_back(database: Store) -> None:
    async def end(watch: Watch) -> None:
        watch.stop()

    async def all_told() -> list[Polled]:
        watch = await watch_of(database)
        seen = database.changes()
        polls = [
            asyncio.ensure_future(watch.poll(Poll("me", seen, 20.0), never())) for _ in "x" * 20
        ]
        while watch.parked < 20:
            await asyncio.sleep(0.001)
        watch.stop()
        answers = await asyncio.wait_for(asyncio.gather(*polls), 10)
        await watch.close(run)
        return answers

    back_offs = {answer.back_off for answer in asyncio.run(all_told())}

    assert len(back_offs) == 20
    assert all(0 < one <= 5 for one in back_offs)


def test_the_time_of_a_poll_ends(database: Store) -> None:
    async def one() -> Polled:
        watch = await watch_of(database)
        polled = await watch.poll(Poll("me", database.changes(), 0.05), never())
        await watch.close(run)
        return polled

    assert asyncio.run(one()).number == database.changes()


@pytest.mark.parametrize("poll", [Poll("other", 1, 20.0), Poll("me", None, 20.0)])
def test_who_knows_nothing_of_this_server_is_told_at_once(database: Store, poll: Poll) -> None:
    async def one() -> Polled:
        watch = await watch_of(database)
        polled = await asyncio.wait_for(watch.poll(poll, never()), 10)
        await watch.close(run)
        return polled

    assert asyncio.run(one()).server == "me"


def test_who_has_seen_the_newest_is_parked_and_woken_without_a_call_of_the_store(
    database: Store,
) -> None:
    asked: list[int] = []

    async def number() -> int:
        asked.append(await asyncio.to_thread(database.changes))
        return asked[-1]

    async def two() -> tuple[Polled, Polled]:
        watch = Watch(database, "me", number)
        first = asyncio.ensure_future(watch.poll(Poll("me", database.changes(), 20.0), never()))
        while not watch.parked:
            await asyncio.sleep(0.001)
        await asyncio.to_thread(database.submit, [new_job()])
        told = await first
        again = asyncio.ensure_future(watch.poll(Poll("me", told.number, 20.0), never()))
        while not watch.parked:
            await asyncio.sleep(0.001)
        await asyncio.to_thread(database.submit, [new_job()])
        answers = told, await again
        await watch.close(run)
        return answers

    first, second = asyncio.run(two())

    assert (len(asked), first.number != second.number) == (1, True)
    assert second.number == database.changes()


def test_who_waits_here_hears_of_a_change_by_another(client: ServerStore, database: Store) -> None:
    seen = client.changes()
    heard: list[int] = []
    waiting = threading.Thread(target=lambda: heard.append(client.wait_for_change(seen, 20)))
    waiting.start()

    database.submit([new_job()])
    waiting.join(10)

    assert heard
    assert heard[0] != seen


def test_many_who_wait_here_are_one_poll(client: ServerStore, app: App) -> None:
    seen = client.changes()
    waiting = [threading.Thread(target=client.wait_for_change, args=(seen, 1)) for _ in range(5)]
    for one in waiting:
        one.start()

    wait_until(lambda: app.parked, "a poll is parked")

    assert app.parked == 1
    for one in waiting:
        one.join()


def test_closing_does_not_wait_for_the_poll(url: str, app: App) -> None:
    client = ServerStore(url)
    client.wait_for_change(client.changes(), 0.01)
    wait_until(lambda: app.parked, "a poll is parked")
    began = time.monotonic()

    client.close()

    assert time.monotonic() - began < 5
    wait_until(lambda: not app.parked, "nobody is parked")


def test_a_server_that_ends_with_twenty_polls_is_gone_in_two_seconds(database: Store) -> None:
    app = App(database)
    clients: list[ServerStore] = []
    with served(app) as url:
        for _ in range(20):
            clients.append(ServerStore(url))
            clients[-1].wait_for_change(clients[-1].changes(), 0.01)
        wait_until(lambda: app.parked == 20, "twenty polls are parked")
        began = time.monotonic()
    took = time.monotonic() - began
    for client in clients:
        client.close()

    assert took < 2


def test_a_worker_that_lives_and_does_not_ask_is_shown_so(client: ServerStore, app: App) -> None:
    worker = WorkerInfo(id=uuid.uuid4(), name="w", host="h", pid=1, slots=2)
    client.register(worker, lease=60)
    app._calls.pollers = Pollers(silent=0.0)
    app._calls.pollers.note([worker.id])

    (view,) = client.workers()

    assert (view.state, view.is_live) == (NOT_POLLING, True)
    client.sign_off(worker.id)


def test_a_worker_that_only_renews_is_shown_so_by_a_server_that_was_restarted(
    client: ServerStore, app: App
) -> None:
    worker = WorkerInfo(id=uuid.uuid4(), name="w", host="h", pid=1, slots=2)
    client.register(worker, lease=60)
    app._calls.pollers = Pollers(silent=0.0)
    client.renew(worker.id, lease=60)

    (view,) = client.workers()

    assert view.state == NOT_POLLING
    client.sign_off(worker.id)


def test_status_and_workers_say_who_lives_and_does_not_poll(
    client: ServerStore, app: App, url: str
) -> None:
    worker = WorkerInfo(id=uuid.uuid4(), name="ada", host="h", pid=1, slots=2)
    client.register(worker, lease=60)
    app._calls.pollers = Pollers(silent=0.0)
    client.renew(worker.id, lease=60)

    status = CliRunner().invoke(cli, ["status", url])
    workers = CliRunner().invoke(cli, ["workers", url])

    assert status.exit_code == 1
    assert "  not polling ada  0/2 busy" in status.stdout
    assert "wrong    ada lives and does not poll: heartbeats come" in status.stdout
    assert workers.stdout.splitlines()[1].split("\t")[:2] == ["ada", "not polling"]
    client.sign_off(worker.id)


def test_a_worker_of_the_database_itself_is_not_judged(client: ServerStore, app: App) -> None:
    worker = WorkerInfo(id=uuid.uuid4(), name="w", host="h", pid=1, slots=2)
    client.register(worker, lease=60)
    app._calls.pollers = Pollers(silent=0.0)

    assert client.workers()[0].state == "up"
    client.sign_off(worker.id)
