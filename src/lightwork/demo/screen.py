"""Screen: the run as a person watches it.

On a terminal: the news above, and below them a bar and a line for each worker,
redrawn in place. Anywhere else, and where colour is not wanted: the news, and a
line for each quarter of the way.
"""

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lightwork.demo.ledger import Snapshot
from lightwork.demo.log_lines import Kind, News
from lightwork.store.views import WorkerView

STYLES: Final = {Kind.PLAIN: "dim", Kind.KILL: "bold red", Kind.LOSS: "yellow", Kind.GOOD: "green"}


class Screen:
    """Shows a run; a context."""

    def __init__(self, console: Console, first: Snapshot) -> None:
        self._console = console
        self._quarters = _quarters(first)
        self._live: Live | None = None
        if console.is_terminal and not console.is_dumb_terminal and not console.no_color:
            self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> None:
        if self._live:
            self._live.start()
            # The demo invites people to kill it: a hidden cursor would stay hidden.
            self._console.show_cursor(True)

    def __exit__(self, *_error: object) -> None:
        if self._live:
            self._live.stop()

    def tell(self, news: News) -> None:
        """Show an event; above what is redrawn, if anything is."""
        at = f"{news.at:5.1f} s"
        if not self._console.is_terminal:
            self._console.print(Text(f"{at}  {news.text}"), soft_wrap=True)
            return
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True, style="dim")
        grid.add_column(overflow="fold", style=STYLES[news.kind])
        grid.add_row(at, Text(news.text))
        self._console.print(grid)

    def show(self, now: Snapshot, rate: float) -> None:
        """Show how things stand, and how many jobs are done in a second."""
        if self._live:
            lines = worker_lines(now, self._console.width)
            self._live.update(Group(Text(), _bar(now, rate), *lines), refresh=True)
        elif (quarters := _quarters(now)) > self._quarters:
            self._quarters = quarters
            line = f"{25 * quarters:5} %  {now.done:,} of {now.total:,} jobs, {rate:,.0f} a second"
            self._console.print(Text(line), soft_wrap=True)


def _quarters(now: Snapshot) -> int:
    return now.done * 4 // max(now.total, 1)


def _bar(now: Snapshot, rate: float) -> Table:
    grid = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=now.total, completed=now.done, width=32)
    failed = Text(f"{now.failed} failed", style="red" if now.failed else "dim")
    done = Text(f"{now.done:,} of {now.total:,}", style="bold")
    grid.add_row(bar, done, f"{rate:,.0f} jobs/s", failed)
    return grid


def worker_lines(now: Snapshot, width: int) -> list[Text]:
    """Return a line for each worker: its names are whole, its files take what is left."""
    workers = [
        worker
        for worker in sorted(now.workers.values(), key=lambda worker: worker.started_at)
        # Those who are gone and hold nothing are history.
        if worker.name.startswith("demo-") and (worker.is_live or worker.id in now.running)
    ]
    longest = max((len(worker.name) for worker in workers), default=0)
    return [_worker_line(now, worker, longest, width) for worker in workers]


def _worker_line(now: Snapshot, worker: WorkerView, longest: int, width: int) -> Text:
    held = now.running.get(worker.id, [])
    state, style = ("live", "green") if worker.is_live else ("dead", "red")
    if worker.is_live and not held:
        state, style = "idle", "dim"
    who = (f"{worker.name:<{longest}}  ", (f"pid {worker.pid:<7}  ", "dim"), (f"{state}  ", style))
    line = Text.assemble(*who, no_wrap=True, overflow="ellipsis")
    files = fitting_names(held, width - line.cell_len)
    return line.append(files, style="" if worker.is_live else "yellow")


def fitting_names(names: Sequence[str], width: int) -> str:
    """Return as many names as fit, each whole, and how many more there are."""
    more = ""
    for count in range(len(names), 0, -1):
        more = f" and {len(names) - count} more" if count < len(names) else ""
        text = ", ".join(names[:count]) + more
        if cell_len(text) <= width:
            return text
    # The end of a path says which file it is.
    room = width - len(more) - 1
    return f"…{names[0][-room:]}{more}" if names and room > 0 else ""
