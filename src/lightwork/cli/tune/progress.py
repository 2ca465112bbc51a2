"""Progress: what is being measured, on standard error.

On a terminal it is one line that changes, else a line now and then.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from lightwork.cli.output import note

_SECONDS_BETWEEN_LINES: Final = 5.0


@contextmanager
def progress(title: str, seconds: float, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Yield what is to be told each step of a measurement of so many seconds."""
    if quiet:
        yield lambda _step: None
    elif sys.stderr.isatty():
        with _bar(title, seconds) as tell:
            yield tell
    else:
        yield _lines(title)


@contextmanager
def _bar(title: str, seconds: float) -> Iterator[Callable[[str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    started = time.perf_counter()
    # One refresh a step and two a second: more would be measured with the function.
    with Progress(*columns, console=console, transient=True, refresh_per_second=2) as shown:
        row = shown.add_task(title, total=seconds)

        def tell(step: str) -> None:
            done = min(time.perf_counter() - started, seconds)
            shown.update(row, completed=done, description=f"{title}: {step}")

        yield tell


def _lines(title: str) -> Callable[[str], None]:
    told_at = float("-inf")

    def tell(step: str) -> None:
        nonlocal told_at
        now = time.perf_counter()
        if now - told_at >= _SECONDS_BETWEEN_LINES:
            told_at = now
            note(f"{title}: {step}")

    return tell
