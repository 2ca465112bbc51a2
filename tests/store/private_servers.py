"""Private servers: databases that a test may stop, kill and start again, each on a port of its own.

Those of servers.py are shared by all tests, and by others on the machine. One of these has
its data in a folder of its own and syncs it as shipped; after a stop it is the same server again,
on the same port.
"""

import atexit
import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
import pytest
from sqlalchemy import URL, make_url

from store import servers

_SECONDS: Final = 120.0


class PrivateServer:
    """A PostgreSQL or MariaDB server; started by `private_server`."""

    kind: str
    owner: str

    def __init__(self) -> None:
        self.folder = servers.folder_for(self.owner)
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def place(self) -> URL:
        """Where databases may be made, as its administrator."""
        raise NotImplementedError

    def words(self) -> list[object]:
        """Return the program and what it is told."""
        raise NotImplementedError

    def start(self) -> None:
        """Return when it answers."""
        # The end of a killed server's helpers comes a moment after its own, and it waits for them.
        deadline = time.monotonic() + _SECONDS
        while True:
            process = subprocess.Popen(
                servers.command_of(self.owner, self.words()),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
            )
            while process.poll() is None and not servers.answers(self.place):
                assert time.monotonic() < deadline, f"the private {self.kind} does not answer"
                time.sleep(0.02)
            if process.poll() is None:
                self.process = process
                return
            assert time.monotonic() < deadline, f"the private {self.kind} ends when it is started"
            time.sleep(0.1)

    def stop(self, number: signal.Signals) -> None:
        """End it by a signal to the server itself; return when its process is gone."""
        assert self.process is not None
        for pid in self._pids():
            os.kill(pid, number)
        self.process.wait(_SECONDS)
        self.process = None

    def restart(self, number: signal.Signals) -> None:
        """Stop it by this signal and start it again."""
        self.stop(number)
        self.start()

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make an empty database, for as long as the server lives."""
        name = f"lightwork_test_{uuid.uuid4().hex}"
        servers.execute(self.place, f"CREATE DATABASE {name}")
        yield self.place.set(database=name).render_as_string(hide_password=False)

    def by_socket(self, url: str) -> str:
        """Return the URL of the same database by the server's unix socket."""
        socket_ = {
            "postgresql": {"host": str(self.folder), "port": str(self.port)},
            "mariadb": {"unix_socket": f"{self.folder}/socket"},
        }[self.kind]
        there = make_url(url)
        return URL.create(
            there.drivername, there.username, database=there.database, query=socket_
        ).render_as_string(hide_password=False)

    def close(self) -> None:
        """End it and take its data away; idempotent."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _pids(self) -> list[int]:
        """Return the server's process: what was started may only be what changes the user."""
        assert self.process is not None
        known = psutil.Process(self.process.pid)
        program = Path(str(self.words()[0])).name
        if known.name() == program:
            return [known.pid]
        return [child.pid for child in known.children() if child.name() == program]


class PrivatePostgresql(PrivateServer):
    """Fast shutdown: SIGINT; immediate: SIGQUIT; a crash: SIGKILL."""

    kind = "postgresql"
    owner = "postgres"

    def __init__(self, programs: Path) -> None:
        super().__init__()
        self._program = programs / "postgres"
        words = programs / "initdb", "-D", self.folder / "data", "-U", "postgres", "--auth=trust"
        servers.run_as(self.owner, *words, "--no-sync")

    @property
    def place(self) -> URL:
        where = {"host": "127.0.0.1", "port": self.port, "database": "postgres"}
        return URL.create("postgresql+psycopg", "postgres", **where)  # type: ignore[arg-type]

    def words(self) -> list[object]:
        settings = (
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self.folder}",
            "max_connections=100",
        )
        options = [word for setting in settings for word in ("-c", setting)]
        return [self._program, "-D", self.folder / "data", "-p", self.port, *options]


class PrivateMariadb(PrivateServer):
    """Shutdown: SIGTERM; a crash, the only thing that is immediate here: SIGKILL."""

    kind = "mariadb"
    owner = "mysql"

    def __init__(self, program: Path) -> None:
        super().__init__()
        self._program = program
        self._data = f"--datadir={self.folder}/data"
        words = "mariadb-install-db", "--no-defaults", self._data
        servers.run_as(self.owner, *words, "--auth-root-authentication-method=normal")

    @property
    def place(self) -> URL:
        where = {"host": "127.0.0.1", "port": self.port, "database": "mysql"}
        return URL.create("mariadb+pymysql", "root", **where)  # type: ignore[arg-type]

    def words(self) -> list[object]:
        network = f"--port={self.port}", "--bind-address=127.0.0.1", "--skip-name-resolve"
        files = f"--socket={self.folder}/socket", f"--pid-file={self.folder}/pid"
        return [self._program, "--no-defaults", self._data, *network, *files]


@functools.cache
def private_server(kind: str) -> PrivateServer:
    """Start a server of this kind; skip the test, or fail in CI, if its programs are missing.

    One for all tests that stop it: each leaves it running.
    """
    programs = servers.programs_of(kind)
    if programs is None:
        servers.be_without(kind)
    made = PrivatePostgresql(programs) if kind == "postgresql" else PrivateMariadb(programs)
    atexit.register(made.close)
    made.start()
    return made


@pytest.fixture(scope="session")
def private() -> Callable[[str], PrivateServer]:
    """Starts private servers, which outlive the test."""
    return private_server


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
