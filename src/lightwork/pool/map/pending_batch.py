"""Pending batch: one submitted call of a map, and what its items came to."""

from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from lightwork import errors
from lightwork.pool.map.batcher import Opened, Started

if TYPE_CHECKING:
    from lightwork.errors import WorkerLost


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
        if self.size == 1:
            return {0: error}
        # Its type: an error of the user may claim any class, or raise when asked for it.
        if issubclass(type(error), errors.WorkerLost):
            # One exception per item: each may be raised, and gets its own traceback.
            lost: Any = error
            return {at: self._lost_item(lost) for at in range(self.size)}
        return dict.fromkeys(range(self.size), error)

    def _lost_item(self, error: "WorkerLost") -> "WorkerLost":
        last = self.first + self.size - 1
        lost = errors.WorkerLost(
            f"{error}. It was given items {self.first} to {last} of a map in one chunk, whose "
            "results were lost with it; with chunksize=1 a death costs the one item that runs.",
            **error.__dict__,
        )
        lost.__cause__ = error
        return lost
