"""Calls that are cancelled before any child was started for them."""

import threading

import pytest

from lightwork.pool.process import ProcessExecutor

pytestmark = pytest.mark.process

WAIT = 30


def test_a_pool_whose_only_calls_were_cancelled_at_once_ends() -> None:
    for _ in range(30):
        pool = ProcessExecutor(2)
        pool.submit(abs, -1).cancel()
        ending = threading.Thread(target=pool.shutdown, daemon=True)
        ending.start()

        ending.join(WAIT)

        assert not ending.is_alive()
