"""Screen: the run as a person watches it.

On a terminal: the news above, and below them a bar and a line for each worker,
redrawn in place. Anywhere else, and where colour is not wanted: the news, and a
line for each quarter of the way.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lightwork.cli.demo.ledger import Snapshot
from lightwork.cli.demo.news import News, Tone
from lightwork.store.views import WorkerView

STYLES: Final = {Tone.PLAIN: "dim", Tone.KILL: "bold red", Tone.LOSS: "yellow", Tone.GOOD: "green"}


class Screen(Protocol):
    """Where a run is shown; a context."""

    def __enter__(self) -> object:
        """Begin to show."""

    def __exit__(self, *_error: object) -> None:
        """Leave the place tidy."""

    def tell(self, news: News) -> None:
        """Show an event."""

    def show(self, now: Snapshot, rate: float) -> None:
        """Show how things stand, and how many jobs are done in a second."""


def open_screen(console: Console, first: Snapshot) -> Screen:
    """Return the screen that fits where the console writes to."""
    is_lively = console.is_terminal and not console.is_dumb_terminal and not console.no_color
    return LiveScreen(console) if is_lively else PlainScreen(console, first)


class LiveScreen:
    """For a person at a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> None:
        self._live.start()
        # The demo invites people to kill it: a hidden cursor would stay hidden.
        self._console.show_cursor(True)

    def __exit__(self, *_error: object) -> None:
        self._live.stop()

    def tell(self, news: News) -> None:
        """Print the event above the live part."""
        self._console.print(_news(news))

    def show(self, now: Snapshot, rate: float) -> None:
        """Draw the live part anew."""
        self._live.update(
            Group(Text(), _bar(now, rate), *worker_lines(now, self._console.width)), refresh=True
        )


class PlainScreen:
    """For pipes, files and those who want no colour."""

    def __init__(self, console: Console, first: Snapshot) -> None:
        self._console = console
        self._quarters = _quarters(first)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_error: object) -> None:
        pass

    def tell(self, news: News) -> None:
        """Print the event."""
        if self._console.is_terminal:
            self._console.print(_news(news))
        else:
            self._console.print(Text(f"{news.at:5.1f} s  {news.text}"), soft_wrap=True)

    def show(self, now: Snapshot, rate: float) -> None:
        """Print a line if another quarter is done."""
        quarters = _quarters(now)
        if quarters > self._quarters:
            self._quarters = quarters
            line = f"{25 * quarters:5} %  {now.done:,} of {now.total:,} jobs, {rate:,.0f} a second"
            self._console.print(Text(line), soft_wrap=True)


def _news(news: News) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold", style=STYLES[news.tone])
    grid.add_row(f"{news.at:5.1f} s", Text(news.text))
    return grid


def _quarters(now: Snapshot) -> int:
    return now.done * 4 // max(now.total, 1)


def _bar(now: Snapshot, rate: float) -> Table:
    grid = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=now.total, completed=now.done, width=32)
    failed = Text(f"{now.failed} failed", style="red" if now.failed else "dim")
    words = f"{now.done:,} of {now.total:,}"
    grid.add_row(bar, Text(words, style="bold"), f"{rate:,.0f} jobs/s", failed)
    return grid


def worker_lines(now: Snapshot, width: int) -> list[Text]:
    """Return a line for each worker: its names are whole, its files take what is left."""
    workers = sorted(_shown_workers(now), key=lambda worker: worker.started_at)
    longest = max((len(worker.name) for worker in workers), default=0)
    return [_worker_line(now, worker, longest, width) for worker in workers]


def _worker_line(now: Snapshot, worker: WorkerView, longest: int, width: int) -> Text:
    held = now.held_by(worker)
    state, style = ("live", "green") if worker.is_live else ("dead", "red")
    if worker.is_live and not held:
        state, style = "idle", "dim"
    who = (f"{worker.name:<{longest}}  ", (f"pid {worker.pid:<7}  ", "dim"), (f"{state}  ", style))
    line = Text.assemble(*who, no_wrap=True, overflow="ellipsis")
    files = fitting_names(held, width - line.cell_len)
    return line.append(files, style="" if worker.is_live else "yellow")


def fitting_names(names: Sequence[str], width: int) -> str:
    """Return as many names as fit, each whole, and how many more there are."""
    for count in range(len(names), 0, -1):
        more = f" and {len(names) - count} more" if count < len(names) else ""
        text = ", ".join(names[:count]) + more
        if cell_len(text) <= width:
            return text
    if not names:
        return ""
    # The end of a path says which file it is.
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    room = width - len(more) - 1
    return f"…{names[0][-room:]}{more}" if room > 0 else ""


def _shown_workers(now: Snapshot) -> list[WorkerView]:
    # Those who are gone and hold nothing are history.
    return [
        worker
        for worker in now.workers.values()
        if worker.name.startswith("demo-") and (worker.is_live or now.held_by(worker))
    ]
