"""What is finished arrives, whatever the child and its pool do at this moment.

A child keeps answers back only while it is awake; see "whoever sleeps has sent" in
page.py. tests/models/ explores the protocol behind that, here are the real parts.
"""

import random
from concurrent import futures
from pathlib import Path

import calls
import pytest

from lightwork.pool.process.executor import ProcessExecutor

pytestmark = pytest.mark.process

# A lost answer never comes: none of these ends by waiting a little longer.
WAIT = 20


def test_answers_arrive_although_the_pool_takes_back_what_the_child_has_seen_in_its_pipe() -> None:
    with ProcessExecutor(1) as pool:
        pool.submit(calls.blob, 1).result(WAIT)
        (link,) = pool._pool._children

        # The moment in which a packet was taken back and is still counted, made to last.
        with pool._pool._lock:
            link._count_packets(1)
        try:
            for _ in range(20):
                waiting = [pool.submit(calls.blob, 20_000) for _ in range(20)]
                assert futures.wait(waiting, WAIT).not_done == set()
        except BaseException:
            pool.kill_workers()
            raise


def test_many_large_answers_arrive_while_the_call_behind_them_runs(tmp_path: Path) -> None:
    with ProcessExecutor(1) as pool:
        # Known as short, so all are given to the child at once.
        for _ in range(20):
            pool.submit(calls.blob_and_wait, 10_000).result(WAIT)
        try:
            for turn in range(5):
                path = tmp_path / f"{turn}"
                with pool._pool._lock:
                    ahead = [pool.submit(calls.blob_and_wait, 10_000) for _ in range(6)]
                    long = pool.submit(calls.blob_and_wait, 1, str(path))
                behind = pool.submit(calls.blob_and_wait, 1)

                assert futures.wait(ahead, WAIT).not_done == set()
                path.touch()
                assert futures.wait([long, behind], WAIT).not_done == set()
                # The long one has taught the pool that the function is long.
                for _ in range(20):
                    pool.submit(calls.blob_and_wait, 10_000).result(WAIT)
        except BaseException:
            pool.kill_workers()
            raise


@pytest.mark.usefixtures("busy_machine")
def test_bursts_with_answers_of_all_sizes_arrive_on_a_busy_machine() -> None:
    chance = random.Random(6)
    with ProcessExecutor(2) as pool:
        for _ in range(150):
            sizes = [chance.randrange(2_000, 31_000) for _ in range(100)]
            burst = [pool.submit(calls.blob, size) for size in sizes]
            if futures.wait(burst, WAIT).not_done:
                pool.kill_workers()
                pytest.fail("answers did not arrive")
            assert [len(future.result()) for future in burst] == sizes


@pytest.mark.usefixtures("busy_machine")
def test_calls_that_are_taken_back_run_once_and_arrive_on_a_busy_machine(tmp_path: Path) -> None:
    path = tmp_path / "ran"
    count = 2000
    # Known as short; a few of them are long, and what waits behind these is taken back.
    seconds = [0.01 if n % 40 == 7 else 0.0 for n in range(count)]

    with ProcessExecutor(3) as pool:
        waiting = [
            pool.submit(calls.append_and_sleep, str(path), n, seconds[n]) for n in range(count)
        ]
        if futures.wait(waiting, 60).not_done:
            pool.kill_workers()
            pytest.fail("answers did not arrive")

    assert [future.result() for future in waiting] == list(range(count))
    assert sorted(map(int, path.read_text().split())) == list(range(count))
