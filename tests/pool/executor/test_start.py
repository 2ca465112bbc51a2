"""Executors that are started before there is a call; and threads as asyncio's own executor."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor

import pytest
from progress_calls import double

from lightwork.pool.call.current import current
from lightwork.pool.executor.executor import Executor
from lightwork.pool.executor.inline import InlineExecutor
from lightwork.pool.link.child_state import ChildState
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.pool.thread.interpreter import InterpreterExecutor
from lightwork.pool.thread.subinterpreter import why_no_interpreters

KINDS: list[type[ThreadExecutor | ProcessExecutor]] = [ThreadExecutor, ProcessExecutor]
if not why_no_interpreters():
    KINDS.append(InterpreterExecutor)


def fail() -> None:
    raise LookupError("no")


def name() -> str:
    return current().worker


def test_started_threads_are_all_there() -> None:
    began: list[str] = []
    with ThreadExecutor(3, initializer=lambda: began.append("")) as executor:
        executor.start()

        assert len(began) == len(executor._threads) == 3


def test_started_children_are_all_there_and_ready() -> None:
    with ProcessExecutor(3) as executor:
        executor.start()

        assert len(executor._pool.pids()) == 3
        assert all(link.state is ChildState.READY for link in executor._pool._children)


def test_children_that_end_soon_are_all_there_once() -> None:
    with ProcessExecutor(3, idle_timeout=0.001) as executor:
        starting = threading.Thread(target=executor.start, daemon=True)
        starting.start()
        starting.join(30)

        assert not starting.is_alive()


@pytest.mark.parametrize("kind", KINDS)
def test_starting_again_starts_no_more(kind: Callable[..., Executor]) -> None:
    with kind(2) as executor:
        executor.start()
        executor.start()

        names = set(executor.map(lambda _: name(), range(20), chunksize=1))

    assert len(names) <= 2


@pytest.mark.parametrize("kind", KINDS)
def test_an_initializer_that_fails_is_raised(kind: Callable[..., Executor]) -> None:
    with kind(2, initializer=fail) as executor, pytest.raises(BrokenExecutor):
        executor.start()


@pytest.mark.parametrize("kind", [*KINDS, lambda _: InlineExecutor()])
def test_calls_run_after_a_start(kind: Callable[[int], Executor]) -> None:
    with kind(1) as executor:
        executor.start()

        assert executor.submit(double, 2).result(30) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_starts_after_shutdown(kind: Callable[[int], Executor]) -> None:
    executor = kind(1)
    executor.shutdown()

    with pytest.raises(RuntimeError, match="shutdown"):
        executor.start()


def test_threads_can_be_the_executor_of_an_event_loop() -> None:
    executor = ThreadExecutor(2, "mine")

    async def run() -> list[object]:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(executor)
        found: list[object] = [
            await loop.run_in_executor(None, double, 2),
            await asyncio.to_thread(double, 3),
            await asyncio.to_thread(lambda: threading.current_thread().name),
        ]
        await loop.shutdown_default_executor()
        return found

    *values, name = asyncio.run(run())
    assert values == [4, 6]
    # Either thread: the first may not have come back from its last call yet.
    assert name in ("mine_0", "mine_1")
    assert not any(thread.is_alive() for thread in executor._threads)
