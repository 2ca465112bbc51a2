"""Worker processes that a test may kill, and the store they share."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lightwork.durable.executor import DurableExecutor
from store import servers
from store.private_servers import private
from waiting import wait_until

__all__ = ["private"]

SCRIPT = Path(__file__).with_name("run_worker.py")


class WorkerProcess:
    """A worker in a process of its own; what it says goes to a file."""

    def __init__(self, url: str, log: Path, options: dict[str, Any]) -> None:
        self.log = log
        with log.open("w") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), url, json.dumps(options)],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                stderr=stderr,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self) -> str:
        return self.log.read_text()

    def wait_until_said(self, words: str) -> None:
        def has_said() -> bool:
            assert self.process.poll() is None or words in self.said(), self.said()
            return words in self.said()

        wait_until(has_said, f"worker says {words!r}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A SQLite file, or an empty database of the kind that the test names."""
    kind = getattr(request, "param", "sqlite")
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path}/work.db"
        return
    with servers.new_database(kind) as made:
        yield made


def on(*kinds: str) -> pytest.MarkDecorator:
    """Have a test run on these databases."""
    return pytest.mark.parametrize("url", kinds, indirect=True)


everywhere = on("sqlite", "postgresql", "mariadb")
# What takes long is tried on SQLite, and on servers by `make chaos`.
IS_LONG = "LIGHTWORK_CHAOS_JOBS" in os.environ
everywhere_in_long = everywhere if IS_LONG else on("sqlite")


@pytest.fixture
def executor(url: str) -> Iterator[DurableExecutor]:
    """Submits and looks; has no worker of its own."""
    with DurableExecutor(url) as made:
        yield made


@pytest.fixture
def start(
    url: str, tmp_path: Path, executor: DurableExecutor
) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts workers with one child; none of them outlives the test."""
    started: list[WorkerProcess] = []

    def start_worker(**options: Any) -> WorkerProcess:
        options = {"executor": "processes:1", "lease": 1.0} | options
        worker = WorkerProcess(url, tmp_path / f"worker-{len(started)}.log", options)
        started.append(worker)
        return worker

    yield start_worker
    for worker in started:
        worker.kill()
    for worker in started:
        assert "database is locked" not in worker.said()
        assert "Traceback" not in worker.said(), worker.said()


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
