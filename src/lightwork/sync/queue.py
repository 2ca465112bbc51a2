"""Queue and JoinableQueue: items from whoever puts to whoever gets, at every reach."""

import queue
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Final, Generic, Literal, TypeVar, overload

from lightwork.errors import LockLost
from lightwork.machines.queue import SHUT_DOWN
from lightwork.sync.asked import open_queue
from lightwork.sync.host import Host, Place, Refusal
from lightwork.sync.primitive import Primitive, time_limit
from lightwork.sync.values import values_of

T = TypeVar("T")

# Python 3.13 brought it.
_StandardShutDown: Final[type[Exception]] = getattr(queue, "ShutDown", Exception)


class ShutDown(_StandardShutDown):  # type: ignore[misc, valid-type]
    """The queue was shut down: nothing more is put; and nothing is left to get. `queue.ShutDown`, on every Python."""

    __module__ = "lightwork"


class Unacked(Generic[T]):
    """An item that is this process's until it acks, and another's if it does not live so long.

    In a `with` it is its value, acked at the end, or given back if an error ends it.

    Attributes:
        value: What was put.
    """

    __module__ = "lightwork"
    __slots__ = ("_number", "_queue", "value")

    def __init__(self, of: "Queue[T]", number: int, value: T) -> None:
        self._queue, self._number, self.value = of, number, value

    def ack(self) -> None:
        """Say that it is done; see `Queue.ack`."""
        self._queue.ack(self)

    def nack(self) -> None:
        """Give it back; see `Queue.nack`."""
        self._queue.nack(self)

    def __enter__(self) -> T:
        return self.value

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.ack()
        else:
            self.nack()

    def __repr__(self) -> str:
        return f"<lightwork.Unacked {self.value!r}>"


class Queue(Primitive, Generic[T]):
    """A queue as `queue.Queue`, which loses nothing that was put when a process dies.

    Items are pickled in `put`, so what cannot travel is refused where it is put; each `get` returns a copy.
    In a store a value that is not plain data needs an authkey, as the arguments of jobs do.
    `queue.Full` and `queue.Empty` are the standard library's.

    `for item in queue` ends when the queue is shut down and empty.

    Args:
        maxsize: At most so many items wait in it; 0 or less: any number.
        name: Found under it from everywhere; "": unnamed, found by whoever gets this object.
        where: "threads", "processes", or the URL of a store or server; see `open_host`.
    """

    __module__ = "lightwork"

    def __init__(
        self, maxsize: int = 0, *, name: str = "", where: str | Host = "processes"
    ) -> None:
        self._open(where, "queue", name, (maxsize,))

    def _attach(self, host: Host, place: Place, *, is_named: bool) -> None:
        super()._attach(host, place, is_named=is_named)
        self._values = values_of(host, place)
        self._way = open_queue(host, place)

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        """Put one item, and wait for room.

        Raises:
            Full: There was no room, in `timeout` seconds, or without `block` now.
            ShutDown: Nothing is put any more.
            PayloadError: It cannot be stored.
        """
        self._put((self._values.dump(item),), block, timeout)

    def put_nowait(self, item: T) -> None:
        """Put one item if there is room now; see `put`."""
        self._put((self._values.dump(item),), False, None)

    def put_many(
        self,
        items: Iterable[T],
        block: bool = True,
        timeout: float | None = None,
    ) -> int:
        """Put items one after the other, in one message; return how many are in.

        These are all, unless the time was up, or it was shut down, when some were in.

        Raises:
            Full, ShutDown, PayloadError: As for `put`; then none is in.
        """
        dump = self._values.dump
        return self._put(tuple([dump(item) for item in items]), block, timeout)

    def _put(self, dumped: tuple[bytes, ...], block: bool, timeout: float | None) -> int:
        limit = _queue_timeout(timeout) if block and timeout is not None else None
        try:
            return self._way.put(dumped, block=block, timeout=limit)
        except TimeoutError:
            raise queue.Full from None
        except Refusal as refusal:
            if refusal.reason == SHUT_DOWN:
                raise ShutDown from None
            raise queue.Full from None

    @overload
    def get(
        self, block: bool = ..., timeout: float | None = ..., *, ack: Literal[True] = ...
    ) -> T: ...
    @overload
    def get(
        self, block: bool = ..., timeout: float | None = ..., *, ack: Literal[False]
    ) -> Unacked[T]: ...
    def get(self, block: bool = True, timeout: float | None = None, *, ack: bool = True) -> Any:
        """Get the next item, and wait for one.

        Args:
            block: Wait.
            timeout: Seconds to wait at most; None: without end.
            ack: It is gone from the queue with this. False: it is this process's until it is acked, and the first
                of the queue again if this process dies before: what follows happens at least once.

        Raises:
            Empty: There was none, in `timeout` seconds, or without `block` now.
            ShutDown: It is shut down and empty: nothing is in it, nor lent to others who may yet give it back.
            PayloadError: It is not signed with this process's authkey. What cannot be loaded stays in the queue.
        """
        (item,) = self._get(1, block, timeout, ack=ack)
        return item

    def get_nowait(self) -> T:
        """Get the next item if there is one now; see `get`."""
        return self.get(block=False)

    @overload
    def get_many(
        self, n: int, block: bool = ..., timeout: float | None = ..., *, ack: Literal[True] = ...
    ) -> list[T]: ...
    @overload
    def get_many(
        self, n: int, block: bool = ..., timeout: float | None = ..., *, ack: Literal[False]
    ) -> list[Unacked[T]]: ...
    def get_many(
        self,
        n: int,
        block: bool = True,
        timeout: float | None = None,
        *,
        ack: bool = True,
    ) -> list[Any]:
        """Get the next items in one message: at least one, for which it waits, and at most `n`; see `get`."""
        if n < 1:
            raise ValueError(f"n must be one or more, not {n}")
        return self._get(n, block, timeout, ack=ack)

    def _get(self, most: int, block: bool, timeout: float | None, *, ack: bool) -> list[Any]:
        limit = _queue_timeout(timeout) if block and timeout is not None else None
        try:
            got = self._way.get(most, ack=ack, block=block, timeout=limit)
        except TimeoutError:
            raise queue.Empty from None
        except Refusal as refusal:
            if refusal.reason == SHUT_DOWN:
                raise ShutDown from None
            raise queue.Empty from None
        # Any: a list of values, or of Unacked ones, as the overloads of `get` say.
        loaded: list[Any] = []
        try:
            pairs, taken = got
            loaded += map(self._values.load, [one[1] for one in pairs] if pairs else taken[1])
            if not ack:
                loaded = [Unacked(self, *one) for one in zip(dict(pairs), loaded, strict=True)]
        except BaseException:
            # A wrong key here, or an interrupt, must cost nobody an item.
            self._way.give_back(got, ack=ack)
            raise
        return loaded

    def ack(self, *items: Unacked[T]) -> None:
        """Say that these are done; each counts as a `task_done`.

        Raises:
            LockLost: This process's session has ended since they were got: they are others', or will be.
        """
        self._let_go("ack", items)

    def nack(self, *items: Unacked[T]) -> None:
        """Give these back: they are the first of the queue again. LockLost as for `ack`."""
        self._let_go("nack", items)

    def _let_go(self, verb: str, items: Sequence[Unacked[T]]) -> None:
        try:
            self._way.let_go(verb, tuple(item._number for item in items))
        except Refusal:
            raise LockLost(
                f"{items} of queue {self.name!r} are not this process's: they were acked or given back already, "
                "or its session has ended since"
            ) from None

    def task_done(self) -> None:
        """Say that an item that was got is done with.

        Raises:
            ValueError: It was said more often than items were put.
        """
        try:
            self._way.done()
        except Refusal:
            raise ValueError("task_done() called too many times") from None

    def join(self, timeout: float | None = None) -> None:
        """Wait until all that was put is done.

        Raises:
            TimeoutError: It was not in so many seconds.
        """
        self._way.join(time_limit(timeout))

    def shutdown(self, immediate: bool = False) -> None:
        """Let nothing more be put, and wake all who wait: puts raise ShutDown, gets when it is empty.

        Args:
            immediate: Empty it; what was in it counts as done. What is got and not acked, too, if it
                comes back.
        """
        self._way.shutdown(immediate=immediate)

    def qsize(self) -> int:
        """Return how many items are in it now."""
        return self._way.state()[1]

    def empty(self) -> bool:
        """Whether there is no item in it now."""
        return self.qsize() == 0

    def full(self) -> bool:
        """Whether there is no room in it now."""
        return 0 < self.maxsize <= self.qsize()

    @property
    def maxsize(self) -> int:
        """At most so many items wait in it; 0 or less: any number."""
        maxsize: Any = self._place.spec[0]
        return int(maxsize)

    @property
    def unfinished_tasks(self) -> int:
        """How many items were put and are not done."""
        return self._state()[2]

    @property
    def is_shutdown(self) -> bool:
        """Whether nothing more is put."""
        return self._state()[3]

    def _state(self) -> tuple[int, int, int, bool, int]:
        return self._way.state()

    def __iter__(self) -> Iterator[T]:
        while True:
            try:
                item = self.get()
            except ShutDown:
                return
            yield item

    def __repr__(self) -> str:
        _, size, unfinished, is_shut_down, _ = self._state()
        end = ", shut down" if is_shut_down else ""
        return self._shown(f"{size} items, {unfinished} unfinished{end}")


class JoinableQueue(Queue[T]):
    """A queue as `multiprocessing.JoinableQueue`; every `Queue` here has `task_done` and `join`."""

    __module__ = "lightwork"


def _queue_timeout(timeout: float) -> float | None:
    if timeout < 0:
        raise ValueError("'timeout' must be a non-negative number")
    return time_limit(timeout)
