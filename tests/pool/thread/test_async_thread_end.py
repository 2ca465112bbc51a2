"""Coroutine functions on threads: the end of the loop."""

import gc
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import async_calls
import pytest

from lightwork.pool.thread.executor import ThreadExecutor
from waiting import wait_until

WAIT = 60
HERE = Path(__file__).parents[1]


@pytest.fixture
def gate() -> Iterator[async_calls.Gate]:
    opened = async_calls.Gate()
    yield opened
    opened.is_open = True


def test_shutdown_waits_for_coroutines() -> None:
    pool = ThreadExecutor(1, async_calls=3)
    futures = [pool.submit(async_calls.nap, 0.02, n) for n in range(10)]

    pool.shutdown(wait=True)

    assert [future.result(0) for future in futures] == list(range(10))
    with pytest.raises(RuntimeError):
        pool.submit(async_calls.double, 1)


def test_shutdown_may_cancel_what_has_not_begun(gate: async_calls.Gate) -> None:
    pool = ThreadExecutor(1, async_calls=2)
    futures = [pool.submit(gate.wait, n) for n in range(6)]
    gate.wait_for(2)

    pool.shutdown(wait=False, cancel_futures=True)

    assert all(future.cancelled() for future in futures[2:])
    gate.is_open = True
    pool.shutdown(wait=True)
    assert [future.result(0) for future in futures[:2]] == [0, 1]


def test_a_dropped_executor_ends_its_loop() -> None:
    pool = ThreadExecutor(1, "dropped")
    assert pool.submit(async_calls.double, 1).result(WAIT) == 2
    reference = weakref.ref(pool)

    del pool
    gc.collect()

    assert reference() is None
    wait_until(
        lambda: "dropped_loop" not in {thread.name for thread in threading.enumerate()},
        "the thread has ended",
    )


def test_the_interpreter_waits_for_coroutines() -> None:
    script = (
        f"import sys; sys.path[:0] = [{str(HERE)!r}, {str(HERE.parent)!r}, {str(HERE.parents[1] / 'src')!r}]\n"
        "import async_calls; from lightwork.pool.thread.executor import ThreadExecutor\n"
        "pool = ThreadExecutor(1, async_calls=1)\n"
        "for n in range(3):\n"
        "    pool.submit(async_calls.nap, 0.05, n).add_done_callback(lambda f: print(f.result()))"
    )

    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT,
    )

    assert (done.stdout, done.stderr) == ("0\n1\n2\n", "")


def test_an_idle_loop_uses_next_to_no_time() -> None:
    with ThreadExecutor(1) as pool:
        pool.submit(async_calls.double, 1).result(WAIT)
        before = time.process_time()
        pool.submit(async_calls.nap, 1.0).result(WAIT)

    assert time.process_time() - before < 0.2
