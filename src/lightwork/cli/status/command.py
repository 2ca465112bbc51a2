"""`lightwork status`: one screen that answers whether work is being done."""

import signal
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, NoReturn

import click

from lightwork.cli.status.health import problems, schedule_problems
from lightwork.cli.status.rates import MINUTES, rates_of
from lightwork.cli.status.view import StatusView, draw
from lightwork.clock import monotonic
from lightwork.errors import StoreUnavailable
from lightwork.terminal.options import output_options, url_argument
from lightwork.terminal.output import make_console, print_json

if TYPE_CHECKING:
    from rich.text import Text

    from lightwork.store.contract import Store

_REDRAW_SECONDS = 1.0


@click.command()
@url_argument
@click.option("--watch", is_flag=True, help="Draw it again every second, until Ctrl-C.")
@output_options
def status(*, url: str, watch: bool, json: bool, quiet: bool) -> None:
    """Show workers, jobs and queues, and what is wrong; exit status 1 if anything is.

    With --quiet only the exit status tells.
    """
    from lightwork.net.opening import open_store

    with closing(open_store(url, create=False)) as store:
        if watch:
            _watch(store, json=json)
            return
        view = look(store)
        if json:
            print_json(view)
        elif not quiet:
            make_console().print(draw(view), soft_wrap=True)
    if view.problems:
        raise click.exceptions.Exit(1)


def look(store: "Store") -> StatusView:
    """Read the store at a glance."""
    started = monotonic()
    summary = store.summary()
    seconds = monotonic() - started
    workers = store.workers(include_dead=True)
    return StatusView(
        store=store.safe_url,
        reached_in=seconds,
        summary=summary,
        rates=rates_of(store.history(minutes=MINUTES)),
        # Of the dead only those that still hold jobs matter; the others have signed off.
        workers=[worker for worker in workers if worker.is_live or worker.running],
        problems=[
            *problems(summary, workers, next_due_in=store.chores().due_in, url=store.safe_url),
            *schedule_problems(store.schedules()),
        ],
    )


def _watch(store: "Store", *, json: bool) -> None:
    """Show the store until Ctrl-C, also while it is out of reach."""
    console = make_console()
    # How a watch ends: nothing was interrupted.
    with suppress(KeyboardInterrupt):
        if json or not console.is_terminal:
            _repeat(store, json=json)
        from rich.live import Live

        # Whatever ends the watch, the terminal gets its old screen back.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                live.update(_frame(store), refresh=True)
                time.sleep(_REDRAW_SECONDS)


def _frame(store: "Store") -> "Text":
    from rich.text import Text

    try:
        return draw(look(store))
    except StoreUnavailable as error:
        return Text(f"out of reach, trying again: {error}", style="red")


def _repeat(store: "Store", *, json: bool) -> NoReturn:
    while True:
        view = look(store)
        if json:
            print_json(view)
        else:
            make_console().print(draw(view), end="\n\n", soft_wrap=True)
        time.sleep(_REDRAW_SECONDS)
