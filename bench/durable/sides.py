"""Sides: who takes part, on which database, how it is set, and in which environment it lives."""

import functools
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Side:
    """One library in one setting.

    Attributes:
        name: In tables and on the command line.
        library: What must be importable; its version is shown.
        app: The module below apps/.
        kind: Of database: a key of servers.KINDS.
        setting: How it is set, for the reader.
        processes: How many `serve` are started; 1: it starts two workers itself.
        part: The part of the jobs that it does; a rate can be compared all the same.
        option: Passed to its app.
        home: The folder, beside the programs of this environment, of one of its own; for a library that needs a
            newer Python than lightwork does.
    """

    name: str
    library: str
    app: str
    kind: str
    setting: str
    processes: int = 2
    part: float = 1.0
    option: str = ""
    home: str = ""

    @property
    def python(self) -> str:
        """The interpreter of its processes."""
        return str(Path(sys.prefix, self.home, "bin", "python")) if self.home else sys.executable

    @property
    def is_ours(self) -> bool:
        """Whether it is lightwork."""
        return self.library == "lightwork"


_OURS = "defaults: fsync on, outcomes kept, calls isolated in children"
_ALL = (
    Side("lw SQLite", "lightwork", "lightwork_app", "sqlite", _OURS),
    Side("lw PostgreSQL", "lightwork", "lightwork_app", "postgresql", _OURS),
    Side("lw MariaDB", "lightwork", "lightwork_app", "mariadb", _OURS),
    Side("PGQueuer 100", "pgqueuer", "pgqueuer_app", "postgresql", "asyncpg, batch_size=100; in the worker's own process, outcomes not kept", option="100"),
    Side("PGQueuer 10", "pgqueuer", "pgqueuer_app", "postgresql", "asyncpg, batch_size=10, its default; otherwise the same", option="10"),
    Side("Procrastinate", "procrastinate", "procrastinate_app", "postgresql", "PsycopgConnector, concurrency=20; in the worker's own process", part=0.1),
    Side("DBOS", "dbos", "dbos_app", "postgresql", "a queue, its defaults; threads of the worker's own process, outcomes kept", part=0.1),
    Side("Oban", "oban", "oban_app", "postgresql", "a queue with limit 20; in the worker's own process, outcomes kept", part=0.1, home="oban"),
    Side("Huey", "huey", "huey_app", "sqlite", "SqliteHuey, fsync off as shipped, 2 worker processes; outcomes kept", processes=1),
    Side("Huey fsync", "huey", "huey_app", "sqlite", "SqliteHuey(fsync=True), otherwise the same", processes=1, option="fsync", part=0.5),
    Side("Celery", "celery", "celery_app", "redis", "Redis broker and result backend, -c 2, prefork; Redis as it runs here", processes=1, part=0.2),
    Side("Dramatiq", "dramatiq", "dramatiq_app", "redis", "Redis broker, 2 processes of 8 threads; outcomes not kept", processes=1, part=0.5),
)  # fmt: skip
SIDES = {side.name: side for side in _ALL}
OURS = tuple(side.name for side in _ALL if side.is_ours)


def version_of(side: Side) -> str:
    """Return the version of its library where it lives; "": it is not installed."""
    return _versions(side.python).get(side.library, "")


@functools.cache
def _versions(python: str) -> Mapping[str, str]:
    """Return the versions of all that an interpreter has installed, by name; none if there is no such interpreter."""
    code = "import json, importlib.metadata as m; print(json.dumps({one.name.lower(): one.version for one in m.distributions()}))"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    versions: dict[str, str] = json.loads(done.stdout)
    return versions
