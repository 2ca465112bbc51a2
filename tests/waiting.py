"""Waiting for a condition: the only way in which the tests beside this let time pass."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], what: str, *, within: float = 30.0) -> None:
    """Return when the condition holds; fail saying what was waited for."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"after {within} s still not: {what}"
        time.sleep(0.005)
