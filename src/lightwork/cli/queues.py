"""`lightwork queues`: list the queues of a store; pause, resume, limit or purge one.

lightwork queues [URL]                  the list
lightwork queues pause NAME [URL]       and so resume, purge; or URL pause NAME
lightwork queues limit NAME N [URL]     N of its jobs run at once; limit NAME --off: any number
"""

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import click

from lightwork.cli.jobs.command import ListByDefault
from lightwork.error_text import did_you_mean
from lightwork.model import State
from lightwork.terminal.options import choose_url, is_url, output_options, url_argument
from lightwork.terminal.output import answer, one_line, plain, print_json, printable
from lightwork.terminal.table import Cell, Column, print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lightwork.store.contract import Store
    from lightwork.store.views import QueueView, WorkerView

_PURGED_AT_ONCE: Final = 1000
_MOST: Final = 1_000_000_000
_COLUMNS: Final = (
    Column(title="QUEUE"),
    Column(title="STATE", is_whole=True),
    Column(title="WORKERS", is_number=True, is_whole=True),
    Column(title="LIMIT", is_number=True, is_whole=True),
    *(Column(title=str(state).upper(), is_number=True, is_whole=True) for state in State),
)


@click.group(cls=ListByDefault, subcommand_metavar="[list] | VERB ...", no_args_is_help=False)
def queues() -> None:
    """List queues; pause, resume, limit or purge one."""


@queues.command("list")
@url_argument
@output_options
def list_queues(*, url: str, json: bool, quiet: bool) -> None:
    """List the queues that have jobs, are paused or have a limit, and how many live workers serve each."""
    from lightwork.net.opening import open_store

    with closing(open_store(url, create=False)) as store:
        found, workers = store.queues(), store.workers()
    for view in found if json or quiet else ():
        print_json(_document(view, workers)) if json else click.echo(one_line(view.name))
    if not json and not quiet:
        print_table(_COLUMNS, [_row(view, workers) for view in found])


def _words(verb: "Callable[..., None]") -> "Callable[..., None]":
    """Accept the name of a queue and an optional URL, in any order."""

    def split(
        ctx: click.Context, _param: click.Parameter, words: tuple[str, ...]
    ) -> tuple[str, str]:
        url, names = _parted(ctx, words)
        if len(names) != 1:
            raise click.UsageError("name one queue, and at most one URL", ctx)
        return url, names[0]

    return click.argument("target", nargs=-1, metavar="NAME [URL]", callback=split)(verb)


def _parted(ctx: click.Context, words: "Sequence[str]") -> tuple[str, list[str]]:
    """Return the URL among the words, or the default one, and the others."""
    urls = [word for word in words if is_url(word)]
    if len(urls) > 1:
        raise click.UsageError("name at most one URL", ctx)
    return choose_url(ctx, urls[0] if urls else ""), [word for word in words if not is_url(word)]


@queues.command()
@_words
@output_options
def pause(*, target: tuple[str, str], json: bool, quiet: bool) -> None:
    """Let no worker claim from queue NAME any more; what runs, runs on."""
    url, name = target
    with closing(_open(url)) as store:
        is_new = store.pause(name)
        known = _used_names(store)
    text = f"{name} is paused" if is_new else f"{name} was paused already"
    if name not in known:
        text += f"; no job and no worker knows a queue of this name yet{did_you_mean(name, known)}"
    found = {"paused": True, "known": name in known}
    _answer(name, found, text, json=json, quiet=quiet)


def _used_names(store: "Store") -> list[str]:
    """Return the queues of jobs and of live workers; one that is only paused, or limited, is nobody's."""
    names = {view.name for view in store.queues() if any(view.states.values())}
    for worker in store.workers():
        names |= set(worker.queues) if worker.is_live else set()
    return sorted(names)


@queues.command()
@_words
@output_options
def resume(*, target: tuple[str, str], json: bool, quiet: bool) -> None:
    """Let workers claim from queue NAME again."""
    url, name = target
    with closing(_open(url)) as store:
        was_paused = store.resume(name)
    text = f"{name} goes on" if was_paused else f"{name} was not paused"
    _answer(name, {"paused": False}, text, json=json, quiet=quiet)


@queues.command()
@click.argument("words", nargs=-1, metavar="NAME N [URL]")
@click.option("--off", is_flag=True, help="Let any number of its jobs run at once.")
@output_options
@click.pass_context
def limit(
    ctx: click.Context, *, words: tuple[str, ...], off: bool, json: bool, quiet: bool
) -> None:
    """Let at most N jobs of queue NAME run at once, over all workers; what runs, runs on."""
    url, names = _parted(ctx, words)
    if len(names) != (1 if off else 2):
        raise click.UsageError("name one queue, and a number of jobs or --off", ctx)
    running = 0 if off else _number_of_jobs(ctx, names[1])
    name = names[0]
    with closing(_open(url)) as store:
        is_new = store.limit_queue(name, running)
    how = f"at most {running}" if running else "any number"
    text = f"{name}: {how} of its jobs may run at once" + ("" if is_new else ", as before")
    _answer(name, {"limit": running or None}, text, json=json, quiet=quiet)


def _number_of_jobs(ctx: click.Context, word: str) -> int:
    if not word.isdecimal() or not 0 < int(word) <= _MOST:
        raise click.UsageError(f"N is a number of jobs, 1 or more; seen: {word:.100}", ctx)
    return int(word)


@queues.command()
@_words
@output_options
def purge(*, target: tuple[str, str], json: bool, quiet: bool) -> None:
    """Cancel every job that waits in queue NAME; what runs, runs on."""
    url, name = target
    purged, count = 0, _PURGED_AT_ONCE
    with closing(_open(url)) as store:
        # Batch by batch, so that others write in between; not until nothing is left, which may be never.
        while count == _PURGED_AT_ONCE:
            count = store.purge(name, limit=_PURGED_AT_ONCE)
            purged += count
    _answer(name, {"purged": purged}, f"{purged} jobs of {name} cancelled", json=json, quiet=quiet)


def _open(url: str) -> "Store":
    from lightwork.net.opening import open_store

    return open_store(url, create=False)


def _answer(name: str, found: dict[str, Any], text: str, *, json: bool, quiet: bool) -> None:
    answer({"queue": name} | found, printable(text), json=json, quiet=quiet)


def _serving(view: "QueueView", workers: "Sequence[WorkerView]") -> int:
    return sum(worker.is_live and view.name in worker.queues for worker in workers)


def _document(view: "QueueView", workers: "Sequence[WorkerView]") -> dict[str, Any]:
    return {
        "queue": view.name,
        "paused_at": plain(view.paused_at),
        "workers": _serving(view, workers),
        "limit": view.limit or None,
        "states": {str(state): view.states.get(state, 0) for state in State},
    }


def _row(view: "QueueView", workers: "Sequence[WorkerView]") -> list[Cell]:
    serving = _serving(view, workers)
    word = Cell("open", "green") if serving else Cell("unserved", "yellow")
    if view.paused_at is not None:
        word = Cell("paused", "yellow")
    counts = (Cell(str(view.states.get(state, 0))) for state in State)
    limited = Cell(str(view.limit or ""))
    return [Cell(one_line(view.name)), word, Cell(str(serving)), limited, *counts]
