"""Seats: the processes in which sides live, as the one who measures sees them."""

import json
import select
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from local import session
from local.rows import Work

# No turn takes nearly as long, even on a slow machine.
PATIENCE = 180.0
# For a side to end its children.
FAREWELL = 10.0


class TurnFailedError(Exception):
    """A side did not do its work; the text says what it said."""


class Seat:
    """One side in its process, from its start to `close`."""

    def __init__(self, side: str, children: int) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the seat
        self._process = session.start(
            session.script("seat.py", side, children), subprocess.PIPE, self._errors
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
        session.end(self._process, FAREWELL)
        assert self._process.stdout
        self._process.stdout.close()
        self._errors.close()

    def _read(self) -> list[float]:
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        if not ready:
            session.end(self._process, 0)
            raise TurnFailedError(f"no answer within {PATIENCE:.0f} seconds")
        line = self._process.stdout.readline()
        if not line:
            session.end(self._process, FAREWELL)
            words = session.last_words(self._errors)
            raise TurnFailedError(f"ended with {self._process.returncode}: {words}")
        answer: Mapping[str, Any] = json.loads(line)
        if "problem" in answer:
            raise TurnFailedError(str(answer["problem"]))
        figures: list[float] = answer["figures"]
        return figures


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
