"""The private names of the standard library's pools, which tests of others look at."""

import multiprocessing
import threading
from typing import Any

from lightwork.multiprocessing.pool import Pool, ThreadPool
from lightwork.pool.link.child_state import ChildState
from lightwork.pool.process.executor import ProcessExecutor


class Child:
    """What tests ask of a process of the pool."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def join(self) -> None:
        """Children have ended when shutdown returns, or the dispatcher has ended."""

    def is_alive(self) -> bool:
        """Whether it was there a moment ago."""
        return True


class NoQueue:
    """What tests ask of a queue between pool and children; there is none."""

    def join_thread(self) -> None:
        """Nothing to wait for."""


class JudgedProcessExecutor(ProcessExecutor):
    """ProcessExecutor with the private names of the standard library's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._mp_context = multiprocessing.get_context("forkserver")

    @property
    def _processes(self) -> dict[int, Child]:
        return {
            child.serial: Child(child.pid)
            for child in self._pool._children
            if child.state is not ChildState.STOPPING
        }

    @property
    def _broken(self) -> bool:
        return self._pool._error is not None

    @property
    def _executor_manager_thread(self) -> threading.Thread:
        return self._thread

    @property
    def _call_queue(self) -> NoQueue:
        return NoQueue()


class JudgedPool(Pool):
    """Pool with the private names of the standard library's."""

    @property
    def _pool(self) -> list[Child]:
        self._repopulate_pool()
        executor: Any = self._executor
        return [Child(child.pid) for child in executor._pool._children]

    def _repopulate_pool(self) -> None:
        """Start what is missing; ours come with the first calls."""
        self._executor.start()


class JudgedThreadPool(ThreadPool):
    """The same for threads."""

    @property
    def _pool(self) -> list[None]:
        return [None] * self._processes
