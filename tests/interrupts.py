"""Interrupts: a Ctrl-C at one chosen step after the other.

A step is a place where the interpreter runs signal handlers, which is after a call of
C and at the beginning of a function. So every place is tried, where real signals hit
one by chance.
"""

import contextlib
import signal
import sys
from collections.abc import Callable
from types import FrameType


class Interrupter:
    """Raises SIGINT at the chosen step of the act."""

    def __init__(self, at: int, within: tuple[str, ...]) -> None:
        self.steps, self.at, self.within = 0, at, within

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        path = frame.f_code.co_filename
        is_ours = any(part in path for part in self.within)
        if is_ours and event in {"call", "c_return"}:
            self.steps += 1
            if self.steps == self.at:
                signal.raise_signal(signal.SIGINT)


def interrupted_at(step: int, act: Callable[[], object], *, within: tuple[str, ...]) -> bool:
    """Do it, with an interrupt at this step; return whether there was such a step.

    Only steps in files count whose path has one of these parts in it.
    """
    interrupter = Interrupter(step, within)
    with contextlib.suppress(KeyboardInterrupt):
        sys.setprofile(interrupter)
        try:
            act()
        finally:
            sys.setprofile(None)
    return interrupter.steps >= step
