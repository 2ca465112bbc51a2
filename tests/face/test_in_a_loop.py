"""Durable jobs in coroutines: nothing holds up the event loop, whoever holds the database."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

import lightwork as lw
from face.jobs import square, wait_for
from lightwork.durable.executor import DurableExecutor
from lightwork.durable.future import DurableFuture
from lightwork.errors import StoreUnavailable
from lightwork.model import State
from lightwork.store.sqlite import writer
from waiting import wait_until

pytestmark = pytest.mark.process

# Holds the lock until its input ends.
HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""
# What a loop may stand still for: less than any wait for the lock, and more than a busy
# machine takes for a turn of it.
STILL = 1.0


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Have another process hold the database, which nobody can write meanwhile."""
    words = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield


@asynccontextmanager
async def heartbeat() -> AsyncIterator[list[float]]:
    """Fill a list with the seconds between the turns of the loop."""
    beats: list[float] = []

    async def beat() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            now = time.monotonic()
            beats.append(now - last)
            last = now

    task = asyncio.create_task(beat())
    await asyncio.sleep(0)
    try:
        yield beats
    finally:
        await asyncio.sleep(0.02)
        task.cancel()


def durable(future: Any) -> DurableFuture[Any]:
    assert isinstance(future, DurableFuture)
    return future


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "work.db"


def test_a_loop_goes_on_while_a_job_waits_to_be_kept(kept: DurableExecutor, path: Path) -> None:
    async def main() -> list[float]:
        async with heartbeat() as beats:
            with held(path):
                submitted = asyncio.create_task(kept.submit_async(square, 2))
                many = asyncio.create_task(kept.submit_many_async(square, [(3,), (4,)]))
                await asyncio.wait([submitted, many], timeout=1.2)
                assert not submitted.done()
                assert not many.done()
            futures = [await submitted, *await many]
        states = kept.store.states(durable(one).job_id for one in futures)
        assert list(states.values()) == [State.READY] * 3
        return beats

    assert max(asyncio.run(main())) < STILL


def test_a_job_is_kept_when_its_submit_was_awaited(kept: DurableExecutor) -> None:
    async def main() -> DurableFuture[Any]:
        return durable(await kept.submit_async(square, 2))

    future = asyncio.run(main())

    assert kept.store.states([future.job_id]) == {future.job_id: State.READY}


def test_a_loop_goes_on_when_a_wait_for_a_job_is_given_up(
    kept: DurableExecutor, path: Path
) -> None:
    async def main() -> tuple[list[float], DurableFuture[Any]]:
        async with heartbeat() as beats:
            future = durable(await kept.submit_async(square, 2))
            with held(path):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(future, 0.1)
                assert not future.done()
                await asyncio.sleep(1.0)
        return beats, future

    beats, future = asyncio.run(main())

    # It was cancelled as soon as that could be written.
    wait_until(future.cancelled, "the end of the job")
    assert kept.store.states([future.job_id]) == {future.job_id: State.CANCELLED}
    assert max(beats) < STILL


def test_cancelling_in_a_coroutine_tells_how_it_ended(
    shared: DurableExecutor, kept: DurableExecutor, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"

    async def main() -> None:
        waiting = await kept.submit_async(square, 2)
        assert await waiting.cancel_async()
        assert waiting.cancelled()
        assert await waiting.cancel_async()
        running = await shared.submit_async(wait_for, str(gate))
        wait_until(Path(f"{gate}.entered").exists, "the job to run")
        assert not await running.cancel_async()
        gate.touch()
        assert await running == "let go"
        assert not await running.cancel_async(running="kill")

    asyncio.run(main())


def test_a_submit_that_is_given_up_keeps_nothing(kept: DurableExecutor, path: Path) -> None:
    async def main() -> None:
        with held(path), pytest.raises(TimeoutError):
            await asyncio.wait_for(kept.submit_async(square, 2), 0.1)

    asyncio.run(main())

    kept.submit(square, 3)
    # Behind all that was posted before it.
    assert [job.state for job in kept.store.jobs() if job.state is not State.CANCELLED] == [
        State.READY
    ]
    assert len(kept._watch.waiting()) == 1


def test_a_plain_submit_in_a_coroutine_gives_up_soon(
    kept: DurableExecutor, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOOP_PATIENCE", 0.2)

    async def main() -> None:
        with held(path), pytest.raises(StoreUnavailable, match="submit_async"):
            kept.submit(square, 2)

    asyncio.run(main())

    kept.submit(square, 3)
    assert len(kept.store.jobs()) == 1


@pytest.mark.parametrize("where", ["inline", "threads:1", "processes:1"])
def test_the_same_lines_work_at_every_reach(where: str) -> None:
    async def main() -> None:
        async with lw.executor(where) as executor:
            future = await executor.submit_async(square, 3)
            assert await future == 9
            assert not await future.cancel_async()

    asyncio.run(main())


def test_a_loop_goes_on_when_a_map_is_dropped(kept: DurableExecutor, path: Path) -> None:
    async def main() -> list[float]:
        async with heartbeat() as beats:
            results = await asyncio.to_thread(kept.map, square, range(3))
            with held(path):
                results.close()
                await asyncio.sleep(0.1)
        return beats

    beats = asyncio.run(main())

    wait_until(lambda: not kept._watch.waiting(), "the end of the jobs")
    assert {job.state for job in kept.store.jobs()} == {State.CANCELLED}
    assert max(beats) < STILL


def test_a_map_that_is_closed_unread_is_cancelled(kept: DurableExecutor) -> None:
    async def main() -> None:
        async with await asyncio.to_thread(kept.map, square, range(3)):
            pass

    asyncio.run(main())

    wait_until(lambda: not kept._watch.waiting(), "the end of the jobs")
    assert {job.state for job in kept.store.jobs()} == {State.CANCELLED}
