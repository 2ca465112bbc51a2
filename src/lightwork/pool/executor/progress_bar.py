"""Progress bar: results that pass by, with a progress bar for whoever looks on.

On a terminal a live bar (rich); in a pipe a plain line now and then, so that a
log of a long night has some tens of lines, not a million. Written to standard
error: standard output belongs to the program.
"""

import sys
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager
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
) -> Generator[T, None, None]:
    """Yield the results, showing how many there were of how many (0: not known)."""
    with _display(total, title, stream or sys.stderr) as count_one:
        for result in results:
            count_one()
            yield result


async def show_progress_async(
    results: AsyncGenerator[T, None], total: int, *, title: str
) -> AsyncGenerator[T, None]:
    """Do the same for results that are waited for by a coroutine."""
    with _display(total, title, sys.stderr) as count_one:
        async with aclosing(results):
            async for result in results:
                count_one()
                yield result


def _display(total: int, title: str, stream: TextIO) -> AbstractContextManager[Callable[[], None]]:
    """Return what shows progress and is told of each result; at an early end it says nothing."""
    show = _with_bar if stream.isatty() else _with_lines
    return show(total, title, stream)


@contextmanager
def _with_bar(total: int, title: str, stream: TextIO) -> Iterator[Callable[[], None]]:
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
        yield lambda: bar.advance(line)


@contextmanager
def _with_lines(total: int, title: str, stream: TextIO) -> Iterator[Callable[[], None]]:
    started = shown_at = monotonic()
    of = f" of {total:,}" if total else ""
    done = ended_at = 0

    def show_end() -> None:
        nonlocal ended_at
        ended_at = done
        seconds = monotonic() - started
        print(f"{title}: {done:,}{of} done in {seconds:.1f} s", file=stream, flush=True)

    def count_one() -> None:
        nonlocal done, shown_at
        done += 1
        if done == total:
            # Now: `zip(items, results)` never asks whether there is more.
            show_end()
            return
        now = monotonic()
        if now - shown_at >= _LINE_SECONDS:
            shown_at = now
            seconds = now - started
            left = f", about {seconds / done * (total - done):.0f} s left" if total > done else ""
            print(f"{title}: {done:,}{of} in {seconds:.0f} s{left}", file=stream, flush=True)

    yield count_one
    if not ended_at or ended_at < done:
        show_end()
