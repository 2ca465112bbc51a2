"""Pending batch: one submitted call of a map, and what its items came to."""

from concurrent.futures import CancelledError

from lightwork.pool.map.batcher import Opened, Started
from lightwork.pool.map.lost_items import each_lost


class PendingBatch:
    """A call for the items from `first` on, `size` of them."""

    __slots__ = ("first", "future", "open", "size")

    def __init__(self, first: int, started: Started) -> None:
        self.first = first
        self.future, self.size, self.open = started

    def error(self) -> BaseException | None:
        """Return why the whole batch has no outcome, if so; its future is done."""
        try:
            return self.future.exception()
        except CancelledError as error:
            return error

    def opened(self) -> Opened:
        """Return what every item gave, and the exceptions of those that failed."""
        error = self.error()
        if error is None:
            return self.open(self.future.result())
        return [None] * self.size, self._failures(error)

    def _failures(self, error: BaseException) -> dict[int, BaseException]:
        last = self.first + self.size - 1
        why = (
            f"It was given items {self.first} to {last} of a map in one chunk, whose results were "
            "lost with it"
        )
        return dict(enumerate(each_lost(error, self.size, why)))
