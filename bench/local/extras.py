"""Extras: what needs processes of its own: cold start, many children, system calls."""

import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from local import session
from local.report import OURS, Figure
from local.seats import PATIENCE, Seats, TurnFailedError

# Beside lightwork, who is traced, and who has many children.
TRACED = (OURS, "Pool", "PPE")
MANY = (OURS, "Pool")

SYSTEM_CALLS = "system calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One thing to measure, whoever does it: a turn of a side gives a number for each figure."""

    name: str
    figures: Sequence[Figure]
    turn: Callable[[str], Sequence[float]]
    rounds: int
    # Whether the first round is not counted.
    warms_up: bool = True
    # Who can take part; None: all.
    sides: Sequence[str] | None = None
    # What to do when the last round is over.
    end: Callable[[], None] = lambda: None


def cold_start(children: int, runs: int) -> Subject:
    """Return the start of a program: to its first result, and what is idle then."""
    return Subject(
        name="cold start",
        figures=(
            Figure("pool made to first result", "ms", more_is_better=False),
            Figure("program start to first result", "ms", more_is_better=False),
            Figure("private memory of an idle child", "MB", more_is_better=False),
            Figure("private memory behind the program", "MB", more_is_better=False),
        ),
        turn=lambda side: _start(side, children),
        rounds=runs,
    )


def many_children(seats: Seats, few: int, many: int, rounds: int) -> Subject:
    """Return what a call costs with many children, beside what it costs with few."""

    def turn(side: str) -> Sequence[float]:
        with_few, with_many = (1e6 / seats.ask(side, n, "submit")[0] for n in (few, many))
        return [with_many, with_many / with_few, *seats.ask(side, many, "descriptors")]

    return Subject(
        name="many children",
        figures=(
            Figure(f"call cost, {many} children", "us", more_is_better=False),
            Figure(f"call cost, {many} to {few} children", "x", more_is_better=False),
            Figure(f"descriptors, {many} children", "open", more_is_better=False),
        ),
        turn=turn,
        rounds=rounds,
        sides=MANY,
        # All of them: even idle, some take time from what follows.
        end=seats.close,
    )


def system_calls(children: int, calls: int) -> Subject:
    """Return how often the kernel is asked for each call, by all processes of a side."""
    return Subject(
        name=SYSTEM_CALLS,
        figures=(Figure("system calls per call, loaded", "calls", more_is_better=False),),
        # The start is in both, and so in neither.
        turn=lambda side: [(_trace(side, children, calls + 1) - _trace(side, children, 1)) / calls],
        rounds=1,
        warms_up=False,
        sides=TRACED,
    )


def why_no_tracing() -> str:
    """Return why system calls cannot be counted here; empty: they can."""
    if shutil.which("strace") is None:
        return "strace not installed"
    try:
        with tempfile.NamedTemporaryFile() as counts:
            output_of(["strace", "-f", "-c", "-o", counts.name, "true"])
    except TurnFailedError as error:
        return f"strace does not work here: {error}"
    return ""


def total_of_strace(text: str) -> int:
    """Return the number of all calls in a summary of strace."""
    found = re.search(r"^100\.00\s+\S+\s+(?:\d+\s+)?(\d+)\s+(?:\d+\s+)?total$", text, re.MULTILINE)
    if found is None:
        raise TurnFailedError(f"expected a summary of strace, seen: {text[:200]!r}")
    return int(found[1])


def output_of(command: Sequence[str]) -> str:
    """Run a command to its end and return the last line of its output."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = session.start(command, output, errors)
        if not session.end(process, PATIENCE):
            raise TurnFailedError(f"no answer within {PATIENCE:.0f} seconds")
        if process.returncode:
            words = session.last_words(errors)
            raise TurnFailedError(f"ended with {process.returncode}: {words}")
        output.seek(0)
        return (output.read().decode().splitlines() or [""])[-1]


def _start(side: str, children: int) -> Sequence[float]:
    started = time.monotonic()
    seen = json.loads(output_of(session.script("first.py", side, children)))
    return [
        (seen["first"] - seen["begun"]) * 1e3,
        (seen["first"] - started) * 1e3,
        seen["child"],
        seen["all"],
    ]


def _trace(side: str, children: int, calls: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder, "counts")
        program = session.script("first.py", side, children, calls)
        output_of(["strace", "-f", "-c", "-o", str(counts), *program])
        return total_of_strace(counts.read_text())
