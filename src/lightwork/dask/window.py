"""Window: how many calls make a batch, and how many batches are under way. Pure.

A batch is to last TARGET: less, and Dask's millisecond a task counts; more, and what a lost
worker costs does. How long a call takes is learned by function. Nobody gets more than his
share of what waits, so that the last slots do not idle while one has it all; and a call whose
duration is not known yet goes alone.
"""

from collections import OrderedDict
from typing import Final

TARGET: Final = 0.02
# Of calls that do nothing: what the pool on the Dask worker needs for each.
_OVERHEAD: Final = 20e-6
# Bytes of arguments in one batch, unless a single call has more.
BYTES_MAX: Final = 1 << 20
BATCHES_PER_SLOT: Final = 2
_REMEMBERED_MAX: Final = 1024


class Window:
    """What is known of durations and slots."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._seconds: OrderedDict[bytes, float] = OrderedDict()

    @property
    def most(self) -> int:
        """Batches under way at most; also where no worker has come yet."""
        return BATCHES_PER_SLOT * max(self.slots, 1)

    def share(self, waiting: int, under_way: int) -> int:
        """Return how many of the calls that wait the next batch may have, 0: none is to go."""
        free = self.most - under_way
        return -(-waiting // free) if free > 0 else 0

    def expect(self, function: bytes) -> float:
        """Return how long a call of this function is expected to take, in seconds."""
        return self._seconds.get(function, TARGET)

    def learn(self, function: bytes, seconds: float) -> None:
        """Take one measured duration into account: quick to rise, slow to fall."""
        took = seconds + _OVERHEAD
        known = self._seconds.get(function, took)
        self._seconds[function] = known + (0.5 if took > known else 0.1) * (took - known)
        if len(self._seconds) > _REMEMBERED_MAX:
            self._seconds.popitem(last=False)
