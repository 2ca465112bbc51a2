"""`lightwork workers`: list the workers of a store; tell some to end.

lightwork workers [URL]                       the list
lightwork workers drain NAME|ID... [URL]      claim nothing more, run what is held, end
"""

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import click

from lightwork.cli.jobs.command import ListByDefault
from lightwork.terminal.amounts import show_duration
from lightwork.terminal.options import choose_url, is_url, output_options, url_argument
from lightwork.terminal.output import answer, note, one_line, plain, print_json, seconds_since
from lightwork.terminal.table import Cell, Column, print_table

if TYPE_CHECKING:
    from lightwork.store.views import WorkerView

_COLUMNS: Final = (
    Column(title="NAME"),
    Column(title="STATE", is_whole=True),
    Column(title="BUSY", is_number=True, is_whole=True),
    Column(title="HEARTBEAT", is_number=True, is_whole=True),
    Column(title="UP", is_number=True, is_whole=True, from_width=90),
    Column(title="HOST", from_width=110),
    Column(title="PID", is_number=True, from_width=110),
    Column(title="QUEUES", from_width=70),
    Column(title="ID", is_whole=True, from_width=120),
)


@click.group(cls=ListByDefault, subcommand_metavar="[list] | drain ...", no_args_is_help=False)
def workers() -> None:
    """List workers; tell some to end."""


@workers.command("list")
@url_argument
@click.option("--dead", is_flag=True, help="Those that have ended, too.")
@output_options
def list_workers(*, url: str, dead: bool, json: bool, quiet: bool) -> None:
    """List the workers that live, latest first."""
    from lightwork.net.opening import open_store

    with closing(open_store(url, create=False)) as store:
        found = store.workers(include_dead=dead)
    if json:
        for view in found:
            print_json(plain(view) | {"state": _state(view)})
    elif quiet:
        for view in found:
            click.echo(str(view.id))
    else:
        print_table(_COLUMNS, [_row(view) for view in found])


@workers.command()
@click.argument("words", nargs=-1, metavar="NAME|ID... [URL]")
@click.option("--all", "every", is_flag=True, help="All that live, instead of names.")
@output_options
@click.pass_context
def drain(
    ctx: click.Context, /, *, words: tuple[str, ...], every: bool, json: bool, quiet: bool
) -> None:
    """Tell workers to claim nothing more, to run what they hold to its end, and to end.

    From now on they claim nothing; a worker that is idle ends within a second or two. A
    signal still stops one sooner. A name means all workers that are called so.
    """
    from lightwork.net.opening import open_store

    urls, names = [w for w in words if is_url(w)], [w for w in words if not is_url(w)]
    if bool(names) == every or len(urls) > 1:
        raise click.UsageError("name workers or say --all, and at most one URL", ctx)
    url = choose_url(ctx, *urls)
    with closing(open_store(url, create=False)) as store:
        chosen = _chosen(store.workers(), names, every=every)
        told = set(store.drain([view.id for view in chosen]))
    for view in chosen:
        is_new = view.id in told
        text = f"{one_line(view.name)}\t{'is told to end' if is_new else 'was told before'}"
        answer({"id": view.id, "name": view.name, "told": is_new}, text, json=json, quiet=quiet)
    if not chosen:
        note("lightwork: no worker is alive")


def _chosen(
    live: "Sequence[WorkerView]", names: Sequence[str], *, every: bool
) -> "list[WorkerView]":
    from lightwork.errors import UsageError

    if every:
        return list(live)
    unknown = [name for name in names if not any(name in _names(view) for view in live)]
    if unknown:
        known = ", ".join(one_line(view.name) for view in live[:10]) or "none"
        raise UsageError(f"no live worker is called {', '.join(unknown)}; live: {known}")
    return [view for view in live if not _names(view).isdisjoint(names)]


def _names(view: "WorkerView") -> set[str]:
    return {view.name, str(view.id)}


def _state(view: "WorkerView") -> str:
    from lightwork.store.views import DRAINING, NOT_POLLING

    if not view.is_live:
        return "dead"
    return view.state if view.state in (DRAINING, NOT_POLLING) else "live"


def _row(view: "WorkerView") -> list[Cell]:
    state = _state(view)
    cells: list[Any] = [
        one_line(view.name),
        Cell(state, {"live": "green", "dead": "red"}.get(state, "yellow")),
        f"{view.running}/{view.slots}",
        show_duration(max(seconds_since(view.heartbeat_at), 0.0)),
        show_duration(max(seconds_since(view.started_at), 0.0)),
        one_line(view.host),
        str(view.pid),
        one_line(", ".join(view.queues)),
        str(view.id),
    ]
    return [cell if isinstance(cell, Cell) else Cell(cell) for cell in cells]
