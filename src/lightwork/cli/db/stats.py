"""`lightwork db stats`: how much a store holds."""

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import click

from lightwork.terminal.amounts import show_duration, show_size
from lightwork.terminal.options import output_options, url_argument
from lightwork.terminal.output import one_line, plain, print_json
from lightwork.terminal.table import Cell, Column, print_table

if TYPE_CHECKING:
    from lightwork.store.views import StoreStats, TableStats

_COLUMNS = (
    Column(title="TABLE", is_whole=True),
    Column(title="ROWS", is_number=True, is_whole=True),
    Column(title="BYTES", is_number=True, is_whole=True),
    Column(title="INDEXES", is_number=True, is_whole=True),
    Column(title="DEAD ROWS", is_number=True, is_whole=True),
)


@click.command()
@url_argument
@output_options
def stats(*, url: str, json: bool, quiet: bool) -> None:
    """Show rows and bytes of each table, the largest payloads, and how long work waits.

    Tables of more than 100,000 rows are not counted: what the database estimates is shown
    with a ~. Of a large SQLite file only the whole is measured.
    """
    from lightwork.net.opening import open_store

    with closing(open_store(url, create=False)) as store:
        found, shown = store.stats(), store.safe_url
    if json:
        print_json({"store": shown} | plain(found))
    elif not quiet:
        _print(found, shown)


def _print(found: "StoreStats", shown: str) -> None:
    click.echo(f"{shown}: {show_size(found.size)}, the oldest ready job waits {_waits(found)}\n")
    print_table(_COLUMNS, [list(_row(table)) for table in found.tables])
    if found.largest:
        click.echo("\nlargest payloads of the newest jobs")
        for job in found.largest:
            click.echo(f"  job {job.seq}\t{one_line(job.task)}\t{show_size(job.size)}")


def _waits(found: "StoreStats") -> str:
    return f"for {show_duration(found.oldest_ready)}" if found.oldest_ready else "for nothing"


def _row(table: "TableStats") -> Iterator[Cell]:
    yield Cell(table.name)
    yield Cell(f"{'~' if table.is_estimate else ''}{table.rows:,}")
    yield Cell("" if table.size is None else show_size(table.size))
    yield Cell("" if table.index_size is None else show_size(table.index_size))
    yield Cell("" if table.dead_rows is None else f"{table.dead_rows:,}")
