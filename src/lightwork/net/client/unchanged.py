"""Unchanged: what a server has said lately, while its store has not changed since.

A worker that has nothing to do looks every second whether jobs are ready, and whether it is to end: as long as
a poll is parked that tells of each change, the answer is the one of before. So it is asked again only after a
change, or after GOOD_SECONDS, should a poll ever be lost without anybody noticing. Only "nothing" is kept:
what there is may be somebody else's a moment later, and of claims no poll tells.
"""

import random
from collections.abc import Callable, Hashable
from typing import Final, TypeVar

from lightwork.clock import monotonic

T = TypeVar("T")

GOOD_SECONDS: Final = 20.0
# Where a poll tells of the very thing that is asked, and has the server look for it each time that it comes.
TOLD_SECONDS: Final = 100.0


class Unchanged:
    """What was said of nothing; any thread may ask.

    Args:
        number: Returns a number that another one follows with each change; None: nobody tells of changes.
        good: For how many seconds an answer is believed.
    """

    def __init__(self, number: Callable[[], int | None], good: float = GOOD_SECONDS) -> None:
        self._good = good
        self._number = number
        # By what was asked: the number before it was, and until when it is good.
        self._said: dict[Hashable, tuple[int, float]] = {}

    def ask(self, question: Hashable, ask: Callable[[], T], *, nothing: T) -> T:
        """Return the answer to a question; `nothing`, if it was that and cannot be another now."""
        number = self._number()
        if number is None:
            return ask()
        said, until = self._said.get(question, (None, 0.0))
        if said == number and monotonic() < until:
            return nothing
        self._said.pop(question, None)
        answer = ask()
        if answer == nothing:
            # Workers that began together do not ask together.
            good = self._good * random.uniform(0.7, 1.0)
            self._said[question] = number, monotonic() + good
        return answer
