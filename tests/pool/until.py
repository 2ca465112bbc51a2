"""Waiting for a condition: the only place where these tests let time pass."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], what: str, *, within: float = 20.0) -> None:
    """Return when the condition holds; fail saying what was waited for."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"after {within} s still not: {what}"
        time.sleep(0.002)
