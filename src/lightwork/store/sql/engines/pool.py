"""Pool: SQLAlchemy's, whose idle connections lie where no Ctrl-C leaves a lock taken.

Its own queue has a lock and conditions written in Python. A Ctrl-C between their steps, in the main thread, would
leave the lock taken, and every other thread would wait for a connection for ever. Nobody has to wait
for one here: these pools have no upper bound. So a deque will do, each of whose operations is one step.
"""

from collections import deque
from typing import Any, Final

from sqlalchemy import QueuePool
from sqlalchemy.util.queue import Empty, Full, QueueCommon

# Who bounds the number of connections is the store; see server/transactions.py.
UNBOUNDED: Final = -1


class _Idle(QueueCommon[Any]):
    """What idles, the longest first; never waited for."""

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:  # noqa: FBT001, FBT002 - as it is called
        self.maxsize, self.use_lifo = maxsize, use_lifo
        self._items: deque[Any] = deque()

    def qsize(self) -> int:
        return len(self._items)

    def empty(self) -> bool:
        return not self._items

    def full(self) -> bool:
        return len(self._items) >= self.maxsize

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ARG002, FBT001, FBT002 - the same
        try:
            return self._items.popleft()
        except IndexError:
            raise Empty from None

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: ARG002, FBT001, FBT002 - the same
        # Two at once may find room for one: then one more idles.
        if self.full():
            raise Full
        self._items.append(item)

    def get_nowait(self) -> Any:
        return self.get()

    def put_nowait(self, item: Any) -> None:
        self.put(item)


class StorePool(QueuePool):
    """To be made with `max_overflow=UNBOUNDED`."""

    _queue_class = _Idle
    # Else a worker's log, that of all that is called lightwork, has what SQLAlchemy says of its pools.
    _sqla_logger_namespace = "sqlalchemy.pool.impl.QueuePool"
