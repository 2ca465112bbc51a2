"""`lightwork metrics`: what Prometheus reads, printed once.

    lightwork metrics sqlite:///work.db > /var/lib/node_exporter/lightwork.prom.new

Costs the store the same however many jobs there are. --json prints one object per sample.
"""

from contextlib import closing
from typing import TYPE_CHECKING, Final

import click

from lightwork.terminal.options import VERSION, output_options, url_argument
from lightwork.terminal.output import print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lightwork.cli.metrics.exposition import Family
    from lightwork.store.contract import Store

_MOST: Final = 10_000


@click.command()
@url_argument
@output_options
def metrics(*, url: str, json: bool, quiet: bool) -> None:
    """Print what Prometheus reads: outcomes, durations, depths, workers.

    With --quiet nothing; the exit status says whether the store could be read.
    """
    from lightwork.cli.metrics.exposition import exposition
    from lightwork.net.opening import open_store

    with closing(open_store(url, create=False)) as store:
        found = list(_read(store))
    if json:
        for family in found:
            for sample in family.samples:
                name = f"{family.name}{sample.suffix}"
                print_json({"name": name, "labels": sample.labels, "value": sample.value})
    elif not quiet:
        click.echo(exposition(found), nl=False)


def _read(store: "Store") -> "Iterator[Family]":
    from lightwork.cli.metrics.exposition import Family, Sample
    from lightwork.cli.metrics.families import families

    labels = {"version": VERSION, "database": store.url.partition("+")[0].partition(":")[0]}
    text = "Which lightwork has written this, and which database keeps the store."
    yield Family("lightwork_info", "gauge", text, [Sample(labels, 1)])
    yield from families(
        store.totals(),
        store.depths(most=_MOST),
        store.workers(),
        most=_MOST,
    )
