"""Queues: the pattern of `multiprocessing.managers` for work on other machines, as its documentation has it.

A manager's process holds two queues; whoever submits puts numbers into one and gets as many from the other, and
workers do the reverse. Each get and put is a round trip of pickles; what is got and lost is lost.
"""

import os
import threading
from multiprocessing.managers import BaseManager
from queue import Queue
from typing import Any

from durable.board import tick

ADDRESS = "BENCH_MANAGER"
_KEY = b"of this machine only"
_tasks: "Queue[int]" = Queue()
_results: "Queue[int]" = Queue()


class Manager(BaseManager):
    """Holds the two queues, or reaches them."""


def _task_queue() -> "Queue[int]":
    return _tasks


def _result_queue() -> "Queue[int]":
    return _results


def started() -> Manager:
    """Start the process that holds the queues; others find it by the environment."""
    Manager.register("tasks", _task_queue)
    Manager.register("results", _result_queue)
    manager = Manager(("127.0.0.1", 0), _KEY)
    manager.start()
    # typeshed: it may also be the path of a socket.
    address: Any = manager.address
    os.environ[ADDRESS] = f"{address[0]}:{address[1]}"
    return manager


def connected() -> Any:
    """Return the manager that runs."""
    Manager.register("tasks")
    Manager.register("results")
    host, _, port = os.environ[ADDRESS].partition(":")
    manager = Manager((host, int(port)), _KEY)
    manager.connect()
    return manager


def serve() -> None:
    """Work until killed."""
    manager = connected()
    tasks, results = manager.tasks(), manager.results()
    while True:
        sent = tasks.get()
        tick(sent)
        results.put(0)


class Queues:
    """What a turn does with them, by the names that lightwork's app has."""

    def __init__(self) -> None:
        self._manager = started()
        manager: Any = self._manager
        self._tasks, self._results = manager.tasks(), manager.results()

    @property
    def pid(self) -> int:
        """The process that holds the queues."""
        process: Any = self._manager._process  # type: ignore[attr-defined] # of the standard library
        pid: int = process.pid
        return pid

    def submit_many(self, count: int) -> None:
        for _ in range(count):
            self._tasks.put(0)

    def collect(self, count: int) -> None:
        """Get so many results, in a thread: whoever submits wants them."""

        def get() -> None:
            # Of its own: a proxy has a connection for each thread.
            results = connected().results()
            for _ in range(count):
                results.get()

        threading.Thread(target=get, daemon=True).start()

    def call(self, sent: int) -> None:
        """Submit one and wait for its result."""
        self._tasks.put(sent)
        self._results.get()

    def close(self) -> None:
        self._manager.shutdown()
