"""`lightwork db set` and `lightwork db settings`: what all programs that use a store are told to do."""

import getpass
import os
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Final

import click

from lightwork.terminal.options import choose_url, is_url, output_options, url_argument
from lightwork.terminal.output import answer, one_line, plain, print_json, printable
from lightwork.terminal.table import Cell, Column, print_table

if TYPE_CHECKING:
    from lightwork.model import Setting

_DEFAULT: Final = "default"
_COLUMNS: Final = (
    Column(title="SETTING", is_whole=True),
    Column(title="BYTES", is_number=True, is_whole=True),
    Column(title="DEFAULT", is_number=True, is_whole=True),
    Column(title="BY"),
)


def _split(
    ctx: click.Context, _param: click.Parameter, words: tuple[str, ...]
) -> tuple[str, str, str]:
    urls = [word for word in words if is_url(word)]
    others = [word for word in words if not is_url(word)]
    if len(others) != 2 or len(urls) > 1:
        raise click.UsageError("name a setting and its value, and at most one URL", ctx)
    name, value = others
    return choose_url(ctx, urls[0] if urls else ""), name, value


@click.command("set")
@click.argument("words", nargs=-1, metavar="NAME VALUE [URL]", callback=_split)
@output_options
def change(*, words: tuple[str, str, str], json: bool, quiet: bool) -> None:
    """Set NAME to VALUE for all programs that use the store; `default` undoes that.

    max_payload is how large the payload of a job may be when it is submitted, and its result: 500k, 4MB
    (of 1024 * 1024 bytes). Every program feels it within five seconds; jobs that are kept stay, and a
    result that is larger fails its job.
    """
    from lightwork.net.opening import open_store
    from lightwork.numeric import parse_size

    url, name, value = words
    # First the value: who has mistyped it should not wait for a server.
    size = None if value == _DEFAULT else parse_size(value)
    with closing(open_store(url, create=False)) as store:
        store.change_setting(name, size, by=_who())
        found = next(one for one in store.settings() if one.name == name)
    text = f"{name} is {found.value:,} bytes, {found.who}"
    answer(plain(found), printable(text), json=json, quiet=quiet)


@click.command()
@url_argument
@output_options
def settings(*, url: str, json: bool, quiet: bool) -> None:
    """Show what all programs that use the store are told to do, and who has said so."""
    from lightwork.net.opening import open_store

    with closing(open_store(url, create=False)) as store:
        found = store.settings()
    for setting in found if json or quiet else ():
        print_json(plain(setting)) if json else click.echo(setting.name)
    if not json and not quiet:
        print_table(_COLUMNS, [_row(setting) for setting in found])


def _row(setting: "Setting") -> list[Cell]:
    return [
        Cell(setting.name),
        Cell(f"{setting.value:,}"),
        Cell(f"{setting.default:,}"),
        Cell(one_line(setting.who)),
    ]


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # In a container the number may have no name.
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"
