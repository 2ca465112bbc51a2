"""Servers: databases for one turn, and what they cost; found by environment or usual local address.

LIGHTWORK_TEST_POSTGRESQL and LIGHTWORK_TEST_MARIADB are URLs of a database beside which others may
be made, as for the tests; LIGHTWORK_BENCH_REDIS is an empty database of a Redis (default: number 9),
which is flushed.
"""

import os
import shutil
import tempfile
import uuid
from abc import abstractmethod
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import NullPool, create_engine, make_url, text

POSTGRESQL = os.environ.get(
    "LIGHTWORK_TEST_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
)
MARIADB = os.environ.get("LIGHTWORK_TEST_MARIADB", "mariadb+pymysql://root@127.0.0.1:3306/mysql")
REDIS = os.environ.get("LIGHTWORK_BENCH_REDIS", "redis://127.0.0.1:6379/9")


class Server:
    """One database, empty, from `__init__` to `drop`."""

    url: str

    @abstractmethod
    def size(self) -> int:
        """Return how many bytes it takes now."""

    @abstractmethod
    def processes(self) -> list[int]:
        """Return the processes that serve it, as far as they are its own."""

    def settle(self) -> None:
        """Bring it into the state in which it would be after a while of its own accord."""

    @abstractmethod
    def drop(self) -> None:
        """Remove it."""


class Sqlite(Server):
    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lightwork-bench-"))
        self.url = f"sqlite:///{self._folder / 'work.db'}"

    def size(self) -> int:
        return sum(path.stat().st_size for path in self._folder.glob("work.db*"))

    def processes(self) -> list[int]:
        return []

    def drop(self) -> None:
        shutil.rmtree(self._folder)


class _SqlServer(Server):
    def __init__(self, place: str) -> None:
        self._place = place
        self.name = f"lightwork_bench_{uuid.uuid4().hex[:12]}"
        self.url = make_url(place).set(database=self.name).render_as_string(hide_password=False)
        self.ask(f"CREATE DATABASE {self.name}")

    def ask(self, statement: str) -> list[Any]:
        engine = create_engine(self._place, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            found = connection.execute(text(statement))
            return list(found.all()) if found.returns_rows else []


class Postgresql(_SqlServer):
    def __init__(self) -> None:
        super().__init__(POSTGRESQL)

    def size(self) -> int:
        return int(self.ask(f"SELECT pg_database_size('{self.name}')")[0][0])

    def processes(self) -> list[int]:
        found = self.ask(f"SELECT pid FROM pg_stat_activity WHERE datname = '{self.name}'")
        return [pid for (pid,) in found]

    def settle(self) -> None:
        engine = create_engine(self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("VACUUM ANALYZE"))

    def drop(self) -> None:
        self.ask(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")


class Mariadb(_SqlServer):
    def __init__(self) -> None:
        super().__init__(MARIADB)

    def size(self) -> int:
        # Its statistics are late, the files are not always ours to see.
        for (table,) in self.ask(f"SHOW TABLES IN {self.name}"):
            self.ask(f"ANALYZE TABLE {self.name}.{table}")
        found = self.ask(
            "SELECT SUM(data_length + index_length) FROM information_schema.tables "
            f"WHERE table_schema = '{self.name}'"
        )
        return int(found[0][0] or 0)

    def processes(self) -> list[int]:
        return _named("mariadbd", "mysqld")

    def drop(self) -> None:
        self.ask(f"DROP DATABASE IF EXISTS {self.name}")


class Redis(Server):
    def __init__(self) -> None:
        import redis

        self.url = REDIS
        self._client = redis.Redis.from_url(REDIS)
        self._client.flushdb()
        self._before = self._used()

    def size(self) -> int:
        return self._used() - self._before

    def processes(self) -> list[int]:
        return _named("redis-server")

    def drop(self) -> None:
        self._client.flushdb()
        self._client.close()

    def _used(self) -> int:
        found: Any = self._client.info("memory")
        return int(found["used_memory"])


KINDS: dict[str, type[Server]] = {
    "sqlite": Sqlite,
    "postgresql": Postgresql,
    "mariadb": Mariadb,
    "redis": Redis,
}


def cpu_seconds(pids: list[int]) -> float:
    """Return the processor time of processes and of all that they have started."""
    seconds = 0.0
    for pid in pids:
        try:
            process = psutil.Process(pid)
            family = [process, *process.children(recursive=True)]
            seconds += sum(sum(one.cpu_times()[:2]) for one in family)
        except psutil.NoSuchProcess:
            continue
    return seconds


def _named(*names: str) -> list[int]:
    return [one.pid for one in psutil.process_iter(["name"]) if one.info["name"] in names]
