"""Show: results that pass by, with a progress bar for whoever looks on.

On a terminal a live bar (rich); in a pipe a plain line now and then, so that a
log of a long night has some tens of lines, not a million. Written to standard
error: standard output belongs to the program.
"""

import sys
from collections.abc import Iterable, Iterator
from operator import length_hint
from typing import Any, Final, TextIO, TypeVar

from lightwork.clock import monotonic

T = TypeVar("T")

# At least so many seconds between two plain lines.
_LINE_SECONDS: Final = 5.0


def count_items(iterables: Iterable[Iterable[Any]]) -> int:
    """Return how many items a map over these will have; 0 when that is not known."""
    hints = [length_hint(iterable, -1) for iterable in iterables]
    return max(min(hints, default=0), 0)


def show_progress(
    results: Iterator[T], total: int, *, title: str, stream: TextIO | None = None
) -> Iterator[T]:
    """Yield the results, showing how many there were of how many (0: not known)."""
    target = stream or sys.stderr
    if target.isatty():
        return _with_bar(results, total, title, target)
    return _with_lines(results, total, title, target)


def _with_bar(results: Iterator[T], total: int, title: str, stream: TextIO) -> Iterator[T]:
    # 60 ms to import, and only a person at a terminal needs it.
    from rich.console import Console  # noqa: PLC0415 - see above
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=stream)) as bar:
        line = bar.add_task(title, total=total or None)
        for result in results:
            bar.advance(line)
            yield result


def _with_lines(results: Iterator[T], total: int, title: str, stream: TextIO) -> Iterator[T]:
    started = shown_at = monotonic()
    of = f" of {total:,}" if total else ""
    done = 0
    for result in results:
        done += 1
        now = monotonic()
        if now - shown_at >= _LINE_SECONDS:
            shown_at = now
            print(f"{title}: {done:,}{of} in {now - started:.0f} s", file=stream, flush=True)
        yield result
    print(f"{title}: {done:,}{of} done in {monotonic() - started:.1f} s", file=stream, flush=True)
