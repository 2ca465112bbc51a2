"""Queues: those of lightwork, with the few verbs more that the standard library's queues of processes have.

There is no thread behind them that could lose anything: what `put` has returned from is in.
Their public names are functions of contexts, so that as classes they travel by the names that they have here.
"""

from typing import Any, TypeVar

from lightwork.sync import queue

T = TypeVar("T")


class Queue(queue.JoinableQueue[T]):
    """A queue as `multiprocessing.Queue`, and `lightwork.Queue` in all else."""

    # Of this object: others go on to use the queue.
    _is_closed = False

    def _put(self, dumped: tuple[bytes, ...], block: bool, timeout: float | None) -> int:
        self._check_open()
        return super()._put(dumped, block, timeout)

    def _get(self, most: int, block: bool, timeout: float | None, *, ack: bool) -> list[Any]:
        self._check_open()
        return super()._get(most, block, timeout, ack=ack)

    def empty(self) -> bool:
        """Whether nothing waits in it just now.

        Raises:
            ValueError: It was closed here.
        """
        self._check_open()
        return super().empty()

    def close(self) -> None:
        """Use it no more here; idempotent."""
        self._is_closed = True

    def join_thread(self) -> None:
        """Return: nothing is on its way."""

    def cancel_join_thread(self) -> None:
        """Do nothing: nothing is waited for when a process ends, and nothing is lost."""

    def _check_open(self) -> None:
        if self._is_closed:
            raise ValueError(f"Queue {self.name!r} is closed")


class JoinableQueue(Queue[T]):
    """The same, as `multiprocessing.JoinableQueue`."""


class SimpleQueue(Queue[T]):
    """The same, as `multiprocessing.SimpleQueue`."""

    __module__ = "lightwork.multiprocessing"
