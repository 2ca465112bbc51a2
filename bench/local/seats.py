"""Seats: the processes in which sides live, as the one who measures sees them."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from local.rows import Work

HERE = Path(__file__).parent
# No turn takes nearly as long, even on a slow machine.
PATIENCE = 180.0


class TurnFailedError(Exception):
    """A side did not do its work; the text says what it said."""


def command(script: str, *arguments: object) -> list[str]:
    """Return the command of one of the scripts here."""
    # -P: the folder of the script is not searched for modules, so nothing here hides others.
    return [sys.executable, "-P", str(HERE / script), *map(str, arguments)]


def environment() -> dict[str, str]:
    """Return the environment in which scripts, and whatever they start, find this package."""
    found = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(HERE.parent), *([found] if found else [])])
    # Installed programs have their bytecode cached, whatever the habits of this environment.
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"}


class Seat:
    """One side in its process, from its start to `close`."""

    def __init__(self, side: str, children: int) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the seat
        # A session of its own: whatever it leaves behind is ended with it.
        self._process = subprocess.Popen(
            command("seat.py", side, children),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment(),
            start_new_session=True,
        )
        try:
            self._read()
        except BaseException:
            self.close()
            raise

    def ask(self, row: str, work: Work) -> list[float]:
        """Have the side do its turn in a row; return one number for each figure."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"row": row, "work": asdict(work)}).encode() + b"\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        """End the side, kindly if it listens."""
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._kill()
        self._process.stdout.close()
        self._errors.close()

    def _read(self) -> list[float]:
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        if not ready:
            self._kill()
            raise TurnFailedError(f"no answer within {PATIENCE:.0f} seconds")
        line = self._process.stdout.readline()
        if not line:
            self._kill()
            raise TurnFailedError(f"ended with {self._process.returncode}: {self._last_words()}")
        answer: Mapping[str, Any] = json.loads(line)
        if "problem" in answer:
            raise TurnFailedError(str(answer["problem"]))
        figures: list[float] = answer["figures"]
        return figures

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


class Seats:
    """All open seats; each is opened with its first turn, and again after a failure."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._open: dict[tuple[str, int], Seat] = {}

    def ask(self, side: str, children: int, row: str) -> Sequence[float]:
        """Return what a side reaches in one turn of a row."""
        key = side, children
        try:
            if key not in self._open:
                self._open[key] = Seat(side, children)
            return self._open[key].ask(row, self._work)
        except (TurnFailedError, OSError):
            self.leave(side, children)
            raise

    def leave(self, side: str, children: int) -> None:
        """Close a seat that is not needed any more, if it is open."""
        seat = self._open.pop((side, children), None)
        if seat is not None:
            seat.close()

    def close(self) -> None:
        for side, children in list(self._open):
            self.leave(side, children)
