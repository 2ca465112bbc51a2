"""`lightwork db backup` and `copy`: a store in another place."""

import sys
from contextlib import closing
from pathlib import Path

import click

from lightwork.terminal.options import is_url, output_options, shown_word, url_argument
from lightwork.terminal.output import answer, note, plain

_CLEAR_LINE = "\r\x1b[2K"


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@url_argument
@output_options
def backup(*, file: Path, url: str, json: bool, quiet: bool) -> None:
    """Write a SQLite store into a new FILE, as it is at one moment, while workers go on.

    Of a database on a server it says how the server's own program is called.
    """
    from lightwork.store.opening import kind_of
    from lightwork.store.urls import safe_url

    kind_of(url).backup(url, file)
    size = file.stat().st_size
    found = {"store": safe_url(url), "file": str(file), "bytes": size}
    answer(found, f"{file}: {size:,} bytes, a whole store", json=json, quiet=quiet)


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@output_options
def copy(*, source: str, target: str, json: bool, quiet: bool) -> None:
    """Copy a whole store FROM one URL TO another, between any two databases.

    No worker may live on either; nobody should submit meanwhile. Ids, numbers, attempts and
    outcomes stay what they are. A copy that was interrupted goes on where it was, when
    the same is said again. At the end each table is compared by count and digest.
    """
    for url in (source, target):
        if not is_url(url):
            raise click.UsageError(f"{shown_word(url)!r} is not the URL of a store")
    from lightwork.store.copying import copy_store
    from lightwork.store.sqlstore import SqlStore

    is_shown = sys.stderr.isatty() and not quiet

    def tell(table: str, rows: int) -> None:
        if is_shown:
            click.echo(f"{_CLEAR_LINE}{table}: {rows:,} rows", nl=False, err=True)

    with (
        closing(SqlStore(source, create=False)) as from_store,
        closing(SqlStore(target)) as to_store,
    ):
        try:
            compared = copy_store(from_store, to_store, tell=tell)
        finally:
            if is_shown:
                click.echo(_CLEAR_LINE, nl=False, err=True)
        shown = to_store.safe_url
    rows = sum(table.rows for table in compared)
    answer(
        {"store": shown, "rows": rows, "tables": plain(compared)},
        f"{shown}: {rows:,} rows in {len(compared)} tables, each the same on both sides",
        json=json,
        quiet=quiet,
    )
    if not quiet:
        note(f"lightwork: {from_store.safe_url} is as it was; start workers on one of them only")
