"""World: a store, those who submit to it and work for it, and what may befall them.

Each fault is a method without arguments that returns when it is over. Whoever dies of it is
started again; a submitter goes on behind the last job that it had sent.
"""

import contextlib
import functools
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from sqlalchemy import NullPool, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from chaos import run_submitter
from chaos.checker import watch_running
from chaos.conftest import WorkerProcess
from chaos.history import read_history
from store import servers
from store.private_servers import PrivateServer
from store.proxy import Proxy, is_commit
from waiting import wait_until

# Sleeps below are how long a fault lasts: nobody tells a test that a lease has run out unseen.
LEASE = 1.0
# A worker that finds the store away when it starts says so; others are killed.
EXPECTED_ENDS = {None, -signal.SIGKILL, 3}


class SubmitterProcess:
    """Submits the jobs of some numbers, however often it is killed."""

    def __init__(self, url: str, folder: Path, name: str, last: int) -> None:
        self._url, self._folder, self._name, self._last = url, folder, name, last
        self._start(1)

    @property
    def history(self) -> Path:
        return self._folder / f"{self._name}.history"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def tend(self) -> None:
        """Start it again if it was killed."""
        if self.process.poll() is None or self.has_ended():
            return
        assert self.process.returncode == -signal.SIGKILL, (self._folder / self._name).read_text()
        sent = [int(words[1]) for words in read_history(self.history) if words[0] == "sent"]
        self._start(max(sent, default=0) + 1)

    def has_ended(self) -> bool:
        return any(words == ["ended"] for words in read_history(self.history))

    def _start(self, first: int) -> None:
        words = [self._url, self._folder, self._name, first, self._last]
        with (self._folder / self._name).open("a") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, run_submitter.__file__, *map(str, words)],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                stderr=stderr,
            )


class ServeProcess:
    """`lightwork serve` before a database, at a port that stays its own."""

    def __init__(self, database: str, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._database, self.log = database, folder / "serve.log"
        self._start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def restart(self, number: signal.Signals) -> None:
        """End it by a signal, and start it again."""
        self.process.send_signal(number)
        self.process.wait()
        self._start()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def _start(self) -> None:
        words = ["serve", self._database, "--bind", f"127.0.0.1:{self._port}"]
        with self.log.open("a") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lightwork", *words],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                stderr=stderr,
            )
        wait_until(self._answers, "the server to answer")

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self._port)).close()
            return True
        return False


class World:
    """Two submitters and two workers.

    Args:
        url: Of the store.
        folder: For histories and logs.
        jobs: How many are submitted, if nobody dies.
        server: Keeps the database, and may be ended; None: the database is a file.
        proxy: Stands before the server.
        offered: Stands before the database, and behind the proxy.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        jobs: int,
        *,
        server: PrivateServer | None = None,
        proxy: Proxy | None = None,
        offered: ServeProcess | None = None,
    ) -> None:
        self.url, self._folder = url, folder
        self._server, self._proxy, self._offered = server, proxy, offered
        self._through = proxy.url if proxy else url
        self._engine = create_engine(url, poolclass=NullPool)
        self.wrong: list[str] = []
        self._is_closed = threading.Event()
        self.started: list[WorkerProcess] = []
        self.workers = [self._worker(), self._worker()]
        self.submitters = [
            SubmitterProcess(self._through, folder, f"submitter-{number}", jobs // 2)
            for number in range(2)
        ]
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()

    def faults(self) -> list[Callable[[], None]]:
        """What may befall this one."""
        found = [self.kill_worker, self.kill_child, self.kill_submitter, self.stop_worker]
        if self._server is not None:
            found += [self.end_connections, self.restart_server, self.crash_server]
        if self._proxy is not None:
            found += [self.cut_connections, self.lose_commits, self.be_silent, self.be_slow]
        if self._offered is not None:
            found += [self.kill_offered, self.kill_offered, self.stop_offered]
        return found

    def kill_worker(self) -> None:
        random.choice(self.workers).kill()

    def kill_child(self) -> None:
        found = self._children(random.choice(self.workers).pid)
        if found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(found), signal.SIGKILL)

    def kill_submitter(self) -> None:
        random.choice(self.submitters).kill()

    def stop_worker(self) -> None:
        victim = random.choice(self.workers)
        victim.signal(signal.SIGSTOP)
        time.sleep(LEASE * 1.5)
        victim.signal(signal.SIGCONT)

    def end_connections(self) -> None:
        """As an administrator does."""
        assert self._server is not None
        name = make_url(self.url).database
        if self._server.kind == "postgresql":
            end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
            servers.execute(self._server.place, f"{end}'{name}'")
            return
        with create_engine(self._server.place, poolclass=NullPool).connect() as connection:
            listing = text("SELECT id FROM information_schema.processlist WHERE db = :db")
            for number in connection.scalars(listing, {"db": name}).all():
                # Gone meanwhile.
                with contextlib.suppress(DBAPIError):
                    connection.execute(text(f"KILL {number}"))

    def restart_server(self) -> None:
        assert self._server is not None
        is_postgresql = self._server.kind == "postgresql"
        self._server.restart(signal.SIGINT if is_postgresql else signal.SIGTERM)

    def crash_server(self) -> None:
        """Shut PostgreSQL down at once, which is what a crash leaves; MariaDB is killed."""
        assert self._server is not None
        is_postgresql = self._server.kind == "postgresql"
        self._server.restart(signal.SIGQUIT if is_postgresql else signal.SIGKILL)

    def cut_connections(self) -> None:
        assert self._proxy is not None
        self._proxy.cut()

    def lose_commits(self) -> None:
        assert self._proxy is not None
        self._proxy.loses_answer_to = lambda sent: _is_change(sent) and random.random() < 0.5
        time.sleep(0.5)
        self._proxy.loses_answer_to = lambda _sent: False

    def be_silent(self) -> None:
        assert self._proxy is not None
        self._proxy.is_silent = True
        time.sleep(LEASE * 1.5)
        # Of what was swallowed nobody can make sense.
        self._proxy.cut()
        self._proxy.is_silent = False

    def be_slow(self) -> None:
        assert self._proxy is not None
        self._proxy.delay = 0.02
        time.sleep(0.5)
        self._proxy.delay = 0.0

    def kill_offered(self) -> None:
        assert self._offered is not None
        self._offered.restart(signal.SIGKILL)

    def stop_offered(self) -> None:
        assert self._offered is not None
        self._offered.restart(signal.SIGTERM)

    def tend(self) -> None:
        """Start again what has died."""
        for place, worker in enumerate(self.workers):
            if worker.process.poll() is not None:
                assert worker.process.returncode in EXPECTED_ENDS, worker.said()
                self.workers[place] = self._worker()
        for submitter in self.submitters:
            submitter.tend()

    def are_all_submitted(self) -> bool:
        self.tend()
        return all(submitter.has_ended() for submitter in self.submitters)

    def wait_until_quiet(self, within: float) -> None:
        """Wait until every job has ended; fail if none of those that are left has for so long."""

        def left() -> int:
            self.tend()
            with self._engine.connect() as connection:
                tables = "ready", "running", "scheduled"
                counts = (
                    connection.scalar(text(f"SELECT count(*) FROM {name}")) for name in tables
                )
                return sum(count or 0 for count in counts)

        while before := left():
            is_fewer = functools.partial(lambda before: left() < before, before)
            wait_until(is_fewer, f"the end of one of {before} jobs", within=within)

    def close(self) -> None:
        """End everybody; what they have said must not be a defect."""
        self._is_closed.set()
        self._watcher.join()
        for submitter in self.submitters:
            submitter.kill()
        for worker in self.workers:
            worker.kill()
        if self._offered is not None:
            self._offered.end()

    def said(self) -> str:
        """Return what all workers, and who offers the store, have said."""
        offered = [self._offered.log.read_text()] if self._offered is not None else []
        return "\n".join([*offered, *(worker.said() for worker in self.started)])

    def _worker(self) -> WorkerProcess:
        log = self._folder / f"worker-{len(self.started)}.log"
        worker = WorkerProcess(self._through, log, {"executor": "processes:2", "lease": LEASE})
        self.started.append(worker)
        return worker

    def _children(self, pid: int) -> list[int]:
        """Return the children that run jobs: those of the worker's fork server."""
        with contextlib.suppress(psutil.Error):
            servers_ = psutil.Process(pid).children()
            return [child.pid for server in servers_ for child in server.children()]
        return []

    def _watch(self) -> None:
        seen: dict[int, tuple[int, bytes]] = {}
        while not self._is_closed.wait(0.05):
            # While its server is away nobody can look.
            with contextlib.suppress(DBAPIError), self._engine.connect() as connection:
                self.wrong += watch_running(connection, seen)


def _is_change(sent: bytes) -> bool:
    """Whether a caller's change is on its way: the end of a transaction, or a call of a server."""
    return is_commit(sent) or b"POST /v1/store/" in sent
