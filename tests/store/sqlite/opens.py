"""Opens: who opens the database file other than through SQLite, in a process and all that it starts.

SQLite opens files itself, in C, which raises no audit event; Python code cannot open
one without. `sitecustomize.py` is imported by every Python that starts with this
folder on its path, so children, workers and the command line are watched as well.
"""

import os
from collections.abc import Mapping
from pathlib import Path

WATCHER = """
import os
import sys

_DATABASE = os.environ["WATCHED_DATABASE"]
_WATCHED = [_DATABASE + ending for ending in ("", "-wal", "-shm")]


def _note(event, arguments):
    if event == "sqlite3.connect":
        _write(f"sqlite {os.getpid()}")
    if event != "open" or isinstance(arguments[0], int):
        return
    try:
        is_watched = any(
            os.path.exists(name) and os.path.samefile(arguments[0], name) for name in _WATCHED
        )
    except (OSError, ValueError, TypeError):
        return
    if is_watched:
        _write(f"opened {arguments[0]!r} from {' < '.join(_callers(sys._getframe(1)))}")


def _callers(frame):
    while frame is not None:
        yield f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back


def _write(line):
    out = os.open(os.environ["WATCHED_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(out, (line + "\\n").encode())
    os.close(out)


sys.addaudithook(_note)
"""


class Opens:
    """Notes of every process that was started with `environment`."""

    def __init__(self, folder: Path, database: Path) -> None:
        self._notes = folder / "notes"
        (folder / "sitecustomize.py").write_text(WATCHER)
        self.environment: Mapping[str, str] = {
            "PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            "WATCHED_DATABASE": str(database),
            "WATCHED_NOTES": str(self._notes),
        }

    def past_sqlite(self) -> list[str]:
        """Return each open of the database or of what SQLite keeps beside it."""
        return [line for line in self._lines() if line.startswith("opened")]

    def processes(self) -> int:
        """Return how many processes opened a database through SQLite."""
        return len({line for line in self._lines() if line.startswith("sqlite")})

    def _lines(self) -> list[str]:
        return self._notes.read_text().splitlines()
