"""Peek: when the pool looks for answers that a child keeps behind a call that it runs. Pure."""

from typing import Final

from lightwork.pool.link.link import ChildLink

# How soon and how seldom the pool looks for answers that wait behind a call.
PEEK_FIRST_SECONDS: Final = 0.001
PEEK_LAST_SECONDS: Final = 0.05


def next_peek_delay(looks: int) -> float:
    """Return the seconds until the next look, after so many in vain."""
    return min(PEEK_FIRST_SECONDS * 2.0 ** min(looks, 10), PEEK_LAST_SECONDS)


class Peek:
    """When to look into the memory of a child next, and how many looks were in vain."""

    def __init__(self, link: ChildLink, at: float) -> None:
        self.link = link
        self.at = at
        self.looks = 0

    def plan_next(self, now: float, *, has_found: bool) -> None:
        """Look again soon where something was found, else more and more seldom."""
        self.looks = 0 if has_found else self.looks + 1
        self.at = now + next_peek_delay(self.looks)
