"""Steps that the tests of the demo share: files to measure, demos to start, kill and look at."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import sysconfig
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

import lightwork

# A file that no Python can parse, among real ones.
BAD_FILE = "spam.py"
BAD_SOURCE = "def spam(:\n    pass\n"
# Absolute: demos run in folders of their own.
SOURCES = str(Path(lightwork.__file__).parents[1])


# State, attempt, end and result of each job that has its outcome.
Outcomes = dict[bytes, tuple[Any, ...]]


def make_files(folder: Path, *, count: int) -> Path:
    """Fill a folder with files of the standard library: not its giants, which take their time."""
    folder.mkdir()
    library = Path(sysconfig.get_path("stdlib"))
    files = sorted(library.glob("*.py"), key=lambda path: -path.stat().st_size)
    for file in files[30 : 30 + count]:
        shutil.copy(file, folder / f"{file.stem}.py")
    (folder / BAD_FILE).write_text(BAD_SOURCE)
    return folder


@dataclass
class Stage:
    """A folder where demos run, one after the other, on one store."""

    folder: Path
    files: Path
    # In the environment of each process that a demo starts, however deep.
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def store(self) -> Path:
        return self.folder / "lightwork-demo.db"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a demo."""
        self.folder.mkdir(exist_ok=True)
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "lightwork",
                "demo",
                "--folder",
                str(self.files),
                "-j",
                "2",
                *arguments,
            ],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": SOURCES, "LIGHTWORK_DEMO_MARK": self.mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a demo to its end; return exit status and what it said."""
        with self.start(*arguments) as demo:
            stdout, stderr = demo.communicate(timeout=60)
        return demo.returncode, stdout, stderr

    def outcomes(self) -> Outcomes:
        """Return state, attempt, end and result of each job that has its outcome."""
        try:
            connection = sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)
        except sqlite3.OperationalError:
            return {}
        try:
            rows = connection.execute(
                "select id, state, attempt, finished_at, result from outcome join job using (seq)"
            )
            return {row[0]: tuple(row[1:]) for row in rows}
        except sqlite3.OperationalError:
            return {}
        finally:
            connection.close()

    def processes(self) -> list[psutil.Process]:
        """Return the living processes that its demos started, themselves included."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def kill_all(self) -> int:
        """Kill every process of it with SIGKILL; return how many there were."""
        killed: set[int] = set()
        while processes := self.processes():
            for process in processes:
                killed.add(process.pid)
                process.send_signal(signal.SIGKILL)
        return len(killed)

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            is_dead = process.status() == psutil.STATUS_ZOMBIE
            return not is_dead and process.environ().get("LIGHTWORK_DEMO_MARK") == self.mark
        except psutil.Error:
            return False
