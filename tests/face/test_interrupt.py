"""A Ctrl-C inside of a call to an executor of jobs costs that call at most, never the executor."""

import signal
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest

from face.jobs import square
from interrupts import interrupted_at
from lightwork.durable.executor import DurableExecutor
from lightwork.model import State

WAIT = 20
OURS = (
    *("/lightwork/durable/", "/lightwork/work/", "/lightwork/store/sqlite/writer.py"),
    "/lightwork/locks/",
    *("/threading.py", "/concurrent/futures/"),
)


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """Python's own handler."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def check(executor: DurableExecutor) -> None:
    """What is submitted now is kept, and its outcome comes."""
    future = executor.submit_many(square, [(3,)])[0]
    # Not by the future: the thread that reads the store has to bring it.
    executor.store.cancel([future.job_id])

    assert futures.wait([future], WAIT).done == {future}


def test_an_interrupt_at_any_step_of_the_first_submit_leaves_the_executor_usable(
    tmp_path: Path,
) -> None:
    # Its threads are started there. All steps would take long: a store is opened for each.
    step, found = 1, True
    while found:
        with DurableExecutor(f"sqlite:///{tmp_path}/work.db") as executor:
            found = interrupted_at(step, lambda: executor.submit(square, 2), within=OURS)
            check(executor)
        step += 3

    assert step > 100


def test_an_interrupt_of_a_submit_of_many_leaves_none_of_them_waiting(tmp_path: Path) -> None:
    with DurableExecutor(f"sqlite:///{tmp_path}/work.db", workers=0) as executor:
        keep, batches = executor.store.submit, iter([False, True])

        def kept_and_cut_off(*jobs: Any, **options: Any) -> list[bool]:
            new = keep(*jobs, **options)
            if next(batches):
                raise KeyboardInterrupt
            return new

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(executor.store, "submit", kept_and_cut_off)
            with pytest.raises(KeyboardInterrupt):
                executor.submit_many(square, ((n,) for n in range(3000)))

        states = executor.store.summary().states
        assert {state: count for state, count in states.items() if count} == {State.CANCELLED: 2000}
