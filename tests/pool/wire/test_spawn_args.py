"""Initializers, as they travel to children."""

import pytest

from lightwork.errors import PoolError
from lightwork.pool.process.executor import ProcessExecutor

pytestmark = pytest.mark.process

WAIT = 30


def test_the_traceback_of_an_initializer_that_travels_by_value_shows_its_lines() -> None:
    with ProcessExecutor(1, initializer=lambda: 1 / 0) as pool:
        failed = pool.submit(abs, -1).exception(WAIT)

    assert isinstance(failed, PoolError)
    assert isinstance(failed.__cause__, ZeroDivisionError)
    assert "initializer=lambda: 1 / 0" in str(failed.__cause__.__cause__)
