"""`lightwork jobs retry` and `cancel`: what people may change about jobs.

All ids are looked up before any job is changed: a mistyped one changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Final
from uuid import UUID

import click

from lightwork.cli.job_names import JobName, find_jobs
from lightwork.cli.options import output_options, targets_argument
from lightwork.cli.output import note, print_json

if TYPE_CHECKING:
    from lightwork.model import State
    from lightwork.store.contract import Store

# Jobs that one transaction makes ready: milliseconds of the lock for writing.
_BATCH: Final = 1000
# Its id, the name that was typed, and its state afterwards.
Changed = tuple[UUID, JobName, "State"]
Change = Callable[["Store", list[UUID]], "Mapping[UUID, State]"]


@click.command()
@targets_argument
@click.option("--failed", is_flag=True, help="All that have failed, instead of IDs.")
@click.option("--task", metavar="MODULE:FUNCTION", help="With --failed: only jobs of this task.")
@click.option("--queue", metavar="QUEUE", help="With --failed: only jobs of this queue.")
@output_options
def retry(
    *,
    url: str,
    names: list[JobName],
    failed: bool,
    task: str | None,
    queue: str | None,
    json: bool,
    quiet: bool,
) -> None:
    """Make failed and cancelled jobs ready again, with their counters at zero.

    Name them by IDs, or say --failed for all that have failed, of one task or queue
    perhaps: after its bug is mended.
    """
    if failed:
        if names:
            raise click.UsageError("--failed or IDs: say one of them")
        _retry_failed(url, task, queue, json=json, quiet=quiet)
        return
    if task or queue:
        raise click.UsageError("--task and --queue choose among the failed: say --failed too")
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


def _retry_failed(
    url: str, task: str | None, queue: str | None, *, json: bool, quiet: bool
) -> None:
    from lightwork.model import State
    from lightwork.store.sqlstore import open_store

    count, before = 0, None
    with closing(open_store(url, create=False)) as store:
        # Downwards by seq: what fails again meanwhile is not met a second time.
        while found := store.jobs(
            state=State.FAILED, task=task, queue=queue, limit=_BATCH, before_seq=before
        ):
            before = found[-1].seq
            after = store.retry([view.id for view in found])
            again = [view for view in found if after.get(view.id) is State.READY]
            count += len(again)
            for view in again:
                if json:
                    print_json({"id": view.id, "state": State.READY})
                elif not quiet:
                    click.echo(f"{view.seq}\t{State.READY}")
    note(f"lightwork: {count} {'job is' if count == 1 else 'jobs are'} ready again")


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
