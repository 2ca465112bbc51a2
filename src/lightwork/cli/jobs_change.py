"""`lightwork jobs retry` and `cancel`: what people may change about jobs.

All ids are looked up before any job is changed: a mistyped one changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING
from uuid import UUID

import click

from lightwork.cli.options import output_options, targets_argument
from lightwork.cli.output import note, print_json

if TYPE_CHECKING:
    from lightwork.model import State
    from lightwork.store.contract import Store

Change = Callable[["Store"], "Mapping[UUID, State]"]


@click.command()
@targets_argument
@output_options
def retry(*, url: str, ids: list[UUID], json: bool, quiet: bool) -> None:
    """Make failed and cancelled jobs ready again, with their counters at zero."""
    after = _change(url, ids, lambda store: store.retry(ids))
    _report(after, good=("ready",), what="cannot be retried", json=json, quiet=quiet)


@click.command()
@targets_argument
@click.option("--kill", is_flag=True, help="Kill the process of a running job; else it is asked.")
@output_options
def cancel(*, url: str, ids: list[UUID], kill: bool, json: bool, quiet: bool) -> None:
    """Cancel jobs that wait; ask running ones to stop.

    A running job stays running until its worker has stopped it; `lightwork jobs
    wait` tells when.
    """
    after = _change(url, ids, lambda store: store.cancel(ids, kill=kill))
    good = ("cancelled", "running")
    _report(after, good=good, what="cannot be cancelled any more", json=json, quiet=quiet)


def _change(url: str, ids: Sequence[UUID], change: Change) -> "dict[UUID, State]":
    from lightwork.cli.waiting import refuse_unknown
    from lightwork.store.sqlstore import open_store

    with closing(open_store(url, create=False)) as store:
        refuse_unknown(store, ids)
        after = change(store)
        # One that was pruned meanwhile is as unknown as one that never was.
        refuse_unknown(store, [job_id for job_id in ids if job_id not in after])
    return {job_id: after[job_id] for job_id in ids}


def _report(
    after: "Mapping[UUID, State]", *, good: Sequence[str], what: str, json: bool, quiet: bool
) -> None:
    for job_id, state in after.items():
        if json:
            print_json({"id": job_id, "state": state})
        elif not quiet:
            click.echo(f"{job_id}\t{state}")
    bad = [(job_id, state) for job_id, state in after.items() if state not in good]
    for job_id, state in bad:
        note(f"lightwork: job {job_id} is {state} and {what}")
    if bad:
        raise click.exceptions.Exit(1)
