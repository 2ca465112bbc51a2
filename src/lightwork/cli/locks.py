"""`lightwork locks`: list the locks, queues and shared values of a store, or of this machine's processes; release a lock, remove any.

lightwork locks [URL]                   the list
lightwork locks release NAME [URL]      take a lock from its holder; or URL release NAME
lightwork locks remove NAME [URL]       forget one, and all that it holds

In the place of the URL the word `processes` may stand, as in `where=`.
"""

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import click

from lightwork.cli.jobs.command import ListByDefault
from lightwork.terminal.amounts import show_duration
from lightwork.terminal.options import choose_url, is_url, output_options
from lightwork.terminal.output import (
    answer,
    one_line,
    plain,
    print_json,
    printable,
    seconds_since,
)
from lightwork.terminal.table import Cell, Column, print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lightwork.store.contract import Store
    from lightwork.store.contracts.primitives import PrimitiveView
    from lightwork.sync.broker.listing import Listed

_PROCESSES: Final = "processes"
_COLUMNS: Final = (
    Column(title="KIND", is_whole=True),
    Column(title="NAME"),
    Column(title="HOLDER"),
    Column(title="SESSION", is_whole=True, from_width=100),
    Column(title="TOKEN", is_number=True, is_whole=True),
    Column(title="WAITING", is_number=True, is_whole=True),
    Column(title="SINCE", is_number=True, is_whole=True),
)


class _Locks(ListByDefault):
    places = frozenset({_PROCESSES})


def _choose_place(ctx: click.Context, _param: click.Parameter, word: str | None) -> str:
    return _PROCESSES if word == _PROCESSES else choose_url(ctx, word or "")


@click.group(cls=_Locks, subcommand_metavar="[list] | release | remove ...", no_args_is_help=False)
def locks() -> None:
    """List locks, queues and shared values; release a lock.

    Of a store or server; of this machine's processes with the word `processes` in the place of the URL.
    """


@locks.command("list")
@click.argument("place", required=False, metavar="[URL|processes]", callback=_choose_place)
@output_options
def list_locks(*, place: str, json: bool, quiet: bool) -> None:
    """List what programs share: who holds it, since when, and how many wait.

    What is not known stays empty: of the locks between processes, who waits in the kernel, and since when they are held.
    """
    found = _views(place)
    for view in found if json or quiet else ():
        print_json(plain(view)) if json else click.echo(one_line(view.name))
    if not json and not quiet:
        print_table(_COLUMNS, [_row(view) for view in found])


def _words(verb: "Callable[..., None]") -> "Callable[..., None]":
    """Accept the name of a lock and an optional place, in any order."""

    def split(
        ctx: click.Context, _param: click.Parameter, words: tuple[str, ...]
    ) -> tuple[str, str]:
        places = [word for word in words if is_url(word)]
        names = [word for word in words if not is_url(word)]
        if len(names) > 1 and not places and _PROCESSES in names:
            names.remove(_PROCESSES)
            return _PROCESSES, _only(ctx, names)
        if len(places) > 1:
            names = []
        return choose_url(ctx, places[0] if places else ""), _only(ctx, names)

    return click.argument("target", nargs=-1, metavar="NAME [URL|processes]", callback=split)(verb)


def _only(ctx: click.Context, names: list[str]) -> str:
    if len(names) != 1:
        raise click.UsageError("give one name, and at most one URL or the word processes", ctx)
    return names[0]


@locks.command()
@_words
@output_options
def release(*, target: tuple[str, str], json: bool, quiet: bool) -> None:
    """Take lock NAME from its holder and hand it to the next one.

    The holder is not asked: it may go on for a while in what it takes to be its lock. What
    compares tokens refuses it then. Of the processes of a machine the kernel keeps most locks: no one but their
    holder can let go of them, and this says which process that is.
    """
    place, name = target
    was_held = _break(place, name)
    text = f"{name} is released" if was_held else f"{name} was free"
    answer({"name": name, "released": was_held}, printable(text), json=json, quiet=quiet)


@locks.command()
@_words
@click.option("--kind", default="", help="Lock, queue ..., where several have this name.")
@output_options
def remove(*, target: tuple[str, str], kind: str, json: bool, quiet: bool) -> None:
    """Forget NAME and all that it holds; who uses it next makes it anew.

    Tokens begin at 1 again: what remembers the highest one must forget it, too.
    """
    place, name = target
    if place == _PROCESSES:
        raise click.UsageError(
            "what the processes of a machine share ends with the last of them; nothing of it can be removed"
        )
    with closing(_open(place)) as store:
        found = _kind_of(store, name, kind)
        is_gone = store.remove_primitive(found, name)
    text = f"{found} {name} is removed" if is_gone else f"{found} {name} was gone already"
    document = {"kind": found, "name": name, "removed": is_gone}
    answer(document, printable(text), json=json, quiet=quiet)


def _kind_of(store: "Store", name: str, kind: str) -> str:
    from lightwork.errors import UsageError

    kinds = [view.kind for view in store.primitives(kind=kind or None, name=name)]
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        raise UsageError(f"several are called {name!r}; say --kind, one of {', '.join(kinds)}")
    raise UsageError(
        f"there is no {kind or 'lock'} {name!r}; `lightwork locks` lists what there is"
    )


def _views(place: str) -> "Sequence[PrimitiveView | Listed]":
    if place == _PROCESSES:
        from lightwork.sync.broker.client import open_broker

        return open_broker().primitives()
    with closing(_open(place)) as store:
        return store.primitives()


def _break(place: str, name: str) -> bool:
    if place == _PROCESSES:
        from lightwork.sync.broker.client import open_broker

        return open_broker().break_lock(name)
    with closing(_open(place)) as store:
        return store.break_lock(name)


def _open(url: str) -> "Store":
    from lightwork.net.opening import open_store

    return open_store(url, create=False)


def _row(view: "PrimitiveView | Listed") -> list[Cell]:
    first = view.holders[0] if view.holders else None
    # The next one who asks gets it from who is dead.
    style = "" if first is None or first.is_live else "red"
    since = "" if first is None or view.since is None else show_duration(seconds_since(view.since))
    cells: list[Any] = [
        view.kind,
        one_line(view.name),
        Cell(_holder(view), style),
        "" if first is None else first.session,
        str(view.token or ""),
        str(view.waiting or ""),
        since,
    ]
    return [cell if isinstance(cell, Cell) else Cell(cell) for cell in cells]


def _holder(view: "PrimitiveView | Listed") -> str:
    if not view.holders:
        return ""
    first, *others = view.holders
    who = f"{one_line(first.host)}:{first.pid}" if first.host else "unknown"
    if not first.is_live:
        who += " (lost)"
    return f"{who} and {len(others)} more" if others else who
