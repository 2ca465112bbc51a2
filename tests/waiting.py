"""Waiting for a condition: the only way in which the tests beside this let time pass."""

import time
from collections.abc import Callable
from typing import Final

# Seconds between two looks: what takes long is looked for less often, or those who look take a third of a core
# from those for whom they wait. At most a twentieth of the time that it takes is lost.
_SHORTEST: Final = 0.005
_LONGEST: Final = 0.05
_SHARE: Final = 0.05


def wait_until(condition: Callable[[], object], what: str, *, within: float = 90.0) -> None:
    """Return when the condition holds; fail saying what was waited for."""
    begin = time.monotonic()
    while not condition():
        waited = time.monotonic() - begin
        assert waited < within, f"after {within} s still not: {what}"
        time.sleep(min(max(_SHORTEST, waited * _SHARE), _LONGEST))
