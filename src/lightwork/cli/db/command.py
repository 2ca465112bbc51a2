"""`lightwork db`: care of a store's file and tables; the shorter verbs."""

from contextlib import closing
from time import sleep
from typing import TYPE_CHECKING, Final

import click

from lightwork.cli.db.copy import backup, copy
from lightwork.cli.db.settings import change, settings
from lightwork.cli.db.stats import stats
from lightwork.terminal.options import duration, output_options, retention, url_argument
from lightwork.terminal.output import answer, printable

if TYPE_CHECKING:
    from lightwork.model import Retention
    from lightwork.store.contract import Store

# Jobs deleted in the first transaction; the next ones follow from how long it took.
_PRUNE_FIRST: Final = 100


@click.group()
def db() -> None:
    """Create, upgrade, check, measure, copy or prune a store, and set what it takes."""


for verb in (stats, backup, copy, change, settings):
    db.add_command(verb)


@db.command()
@url_argument
@output_options
def init(*, url: str, json: bool, quiet: bool) -> None:
    """Create a store, or do nothing if it is there."""
    from lightwork.store.migrate import upgrade as upgrade_store

    _report(url, upgrade_store(url), json=json, quiet=quiet)


@db.command()
@url_argument
@output_options
def upgrade(*, url: str, json: bool, quiet: bool) -> None:
    """Bring the tables of an existing store to this program's revision."""
    from lightwork.errors import SchemaMismatch
    from lightwork.store.migrate import check as check_schema
    from lightwork.store.migrate import upgrade as upgrade_store

    try:
        revision = check_schema(url)
    except SchemaMismatch:
        # Refuses in its turn what a newer program has made.
        revision = upgrade_store(url)
    _report(url, revision, json=json, quiet=quiet)


@db.command()
@url_argument
@click.option("--repair", is_flag=True,
              help="Move damaged rows to the table `damaged`, build broken indexes and count anew.")  # fmt: skip
@output_options
def check(*, url: str, repair: bool, json: bool, quiet: bool) -> None:
    """Look for wrong data; reads the whole store, changes nothing unless asked to."""
    from lightwork.net.opening import open_store
    from lightwork.store.migrate import check as check_schema

    revision = check_schema(url)
    with closing(open_store(url, create=False)) as store:
        repaired = store.repair() if repair else []
        problems = store.check()
        shown = store.safe_url
    found = {"store": shown, "revision": revision, "problems": problems}
    found |= {"repaired": repaired} if repair else {}
    told = [*repaired, *(problems or [f"{shown}: revision {revision}, nothing is wrong"])]
    answer(found, printable("\n".join(told)), json=json, quiet=quiet)
    if problems:
        raise click.exceptions.Exit(1)


@db.command()
@url_argument
@click.option("--older-than", type=duration, default=None, metavar="TIME",
              help="Delete jobs that ended longer ago: 12h, 7d.")  # fmt: skip
@click.option("--keep", type=retention, default=None, metavar="TIMES",
              help="The same by state: failed=90d,succeeded=1d; default: as workers do.")  # fmt: skip
@output_options
def prune(
    *, url: str, older_than: float | None, keep: "Retention | None", json: bool, quiet: bool
) -> None:
    """Delete jobs that ended long ago, with their results and attempts.

    Every worker does so now and then (`lightwork worker --keep`); this is for at once.
    """
    if older_than is not None and keep is not None:
        raise click.UsageError("--older-than and --keep: say one of them")
    from lightwork.model import DEFAULT_RETENTION
    from lightwork.net.opening import open_store

    with closing(open_store(url, create=False)) as store:
        chosen = keep or DEFAULT_RETENTION
        pruned = _prune_all(store, chosen if older_than is None else older_than)
    answer({"pruned": pruned}, f"{pruned} jobs deleted", json=json, quiet=quiet)


def _prune_all(store: "Store", older_than: "float | Retention") -> int:
    """Prune batch by batch, and between two of them leave the store to others for as long."""
    from lightwork.clock import monotonic
    from lightwork.work.pace import next_batch

    pruned, limit, is_full = 0, _PRUNE_FIRST, True
    # Not until nothing is left: jobs may end as fast as they are deleted.
    while is_full:
        began = monotonic()
        count = store.prune(older_than=older_than, limit=limit)
        pruned, is_full, seconds = pruned + count, count == limit, monotonic() - began
        if is_full:
            limit = next_batch(limit, seconds)
            sleep(seconds)
    return pruned


def _report(url: str, revision: str, *, json: bool, quiet: bool) -> None:
    from lightwork.store.urls import safe_url

    found = {"store": safe_url(url), "revision": revision}
    answer(found, f"{safe_url(url)}: ready, revision {revision}", json=json, quiet=quiet)
