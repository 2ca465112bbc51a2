"""Replay window: which numbers of a session have come, as in IPsec (RFC 4303, section 3.4.3).

Requests of several connections overtake each other, so a number may come late, but none
comes twice. What is older than the window is refused unseen.

                  highest
                     ▼
    ... 0 0 1 0 1 1 1 1      one bit for each of the last 1024 numbers
        ◄── window ───►

Only for numbers that are proved to be the other side's: a forged one would take the place
of a real one. Not for several threads at once.
"""

from typing import Final

WINDOW: Final = 1024
_ALL: Final = (1 << WINDOW) - 1


class ReplayWindow:
    """Numbers from 1."""

    __slots__ = ("_highest", "_seen")

    def __init__(self) -> None:
        self._highest = 0
        # Bit 0 is the highest number. Zero itself is never taken: no request has it.
        self._seen = 1

    def take(self, number: int) -> bool:
        """Whether the number is new; it is not any more."""
        ahead = number - self._highest
        if ahead > 0:
            # A shift by what the other side says could take all memory.
            self._seen = (self._seen << ahead) & _ALL if ahead < WINDOW else 0
            self._seen |= 1
            self._highest = number
            return True
        bit = 1 << -ahead if -ahead < WINDOW else 0
        if not bit or self._seen & bit:
            return False
        self._seen |= bit
        return True
