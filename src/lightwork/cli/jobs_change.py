"""`lightwork jobs retry` and `cancel`: what people may change about jobs.

All ids are looked up before any job is changed: a mistyped one changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING
from uuid import UUID

import click

from lightwork.cli.job_names import JobName, find_jobs
from lightwork.cli.options import output_options, targets_argument
from lightwork.cli.output import note, print_json

if TYPE_CHECKING:
    from lightwork.model import State
    from lightwork.store.contract import Store

# Its id, the name that was typed, and its state afterwards.
Changed = tuple[UUID, JobName, "State"]
Change = Callable[["Store", list[UUID]], "Mapping[UUID, State]"]


@click.command()
@targets_argument
@output_options
def retry(*, url: str, names: list[JobName], json: bool, quiet: bool) -> None:
    """Make failed and cancelled jobs ready again, with their counters at zero."""
    after = _change(url, names, lambda store, ids: store.retry(ids))
    _report(after, good=("ready",), what="cannot be retried", json=json, quiet=quiet)


@click.command()
@targets_argument
@click.option("--kill", is_flag=True, help="Kill the process of a running job; else it is asked.")
@output_options
def cancel(*, url: str, names: list[JobName], kill: bool, json: bool, quiet: bool) -> None:
    """Cancel jobs that wait; ask running ones to stop.

    A running job stays running until its worker has stopped it; `lightwork jobs
    wait` tells when.
    """
    after = _change(url, names, lambda store, ids: store.cancel(ids, kill=kill))
    good = ("cancelled", "running")
    _report(after, good=good, what="cannot be cancelled any more", json=json, quiet=quiet)


def _change(url: str, names: Sequence[JobName], change: Change) -> "list[Changed]":
    from lightwork.cli.waiting import refuse_unknown
    from lightwork.store.sqlstore import open_store

    with closing(open_store(url, create=False)) as store:
        found = find_jobs(store, names)
        after = change(store, list(found))
        # One that was pruned meanwhile is as unknown as one that never was.
        refuse_unknown(store, [job_id for job_id in found if job_id not in after])
    return [(job_id, name, after[job_id]) for job_id, name in found.items()]


def _report(
    after: "Sequence[Changed]", *, good: Sequence[str], what: str, json: bool, quiet: bool
) -> None:
    for job_id, name, state in after:
        if json:
            print_json({"id": job_id, "state": state})
        elif not quiet:
            click.echo(f"{name}\t{state}")
    bad = [(name, state) for _, name, state in after if state not in good]
    for name, state in bad:
        note(f"lightwork: job {name} is {state} and {what}")
    if bad:
        raise click.exceptions.Exit(1)
