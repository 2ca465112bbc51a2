"""`lightwork jobs retry` and `cancel`: what people may change about jobs.

All ids are looked up before any job is changed: a mistyped one changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Final
from uuid import UUID

import click

from lightwork.cli.jobs.matching import (
    Chosen,
    cancel_matching,
    fields_of,
    filter_options,
    refuse_names,
    retry_matching,
)
from lightwork.cli.jobs.names import JobName, find_jobs, targets_argument
from lightwork.model import State
from lightwork.terminal.options import output_options
from lightwork.terminal.output import answer, note

if TYPE_CHECKING:
    from lightwork.store.contract import Store, WhenRunning
    from lightwork.store.views import Hindrance

# In the order of a life: what moves on meanwhile is met again.
_UNFINISHED: Final = ("blocked", "scheduled", "ready", "running")
# Its id, the name that was typed, and its state afterwards.
Changed = tuple[UUID, JobName, State]
Change = Callable[["Store", list[UUID]], "Mapping[UUID, State]"]


@click.command()
@targets_argument
@click.option("--failed", is_flag=True, help="All that have failed, instead of IDs.")
@click.option("--cancelled", is_flag=True, help="All that were cancelled, instead of IDs.")
@filter_options
@output_options
def retry(
    *,
    url: str,
    names: list[JobName],
    failed: bool,
    cancelled: bool,
    chosen: Chosen,
    json: bool,
    quiet: bool,
) -> None:
    """Make failed and cancelled jobs ready again, with their counters at zero.

    Name them by IDs, or say --failed for all that have failed, of one task or queue
    perhaps, or in the last hours: after a bug is mended. A job that needs another waits for it,
    if that is retried too. One whose unique key another job holds by now stays as it is.
    """
    states = [State.FAILED] * failed + [State.CANCELLED] * cancelled
    if states:
        refuse_names(names, "--failed and --cancelled")
        retry_matching(url, states, chosen, json=json, quiet=quiet)
        return
    if any(chosen):
        raise click.UsageError(
            "--task, --queue and --since choose among the failed or cancelled: say --failed or "
            "--cancelled too"
        )
    hindered: dict[UUID, Hindrance] = {}
    after = _change(url, names, lambda store, ids: store.retry(ids, hindered=hindered))
    good = ("ready", "blocked")
    what = "cannot be retried"
    _report(after, good=good, what=what, hindered=hindered, json=json, quiet=quiet)


@click.command()
@targets_argument
@click.option("--kill", is_flag=True, help="Kill the process of a running job; else it is asked.")
@click.option("--all", "every", is_flag=True, help="All that have not ended, instead of IDs.")
@click.option("--state", type=click.Choice(_UNFINISHED),
              help="All in this state, instead of IDs.")  # fmt: skip
@filter_options
@output_options
def cancel(
    *,
    url: str,
    names: list[JobName],
    kill: bool,
    every: bool,
    state: str | None,
    chosen: Chosen,
    json: bool,
    quiet: bool,
) -> None:
    """Cancel jobs that wait; ask running ones to stop.

    Name them by IDs, or say which: --all, or --state, --task, --queue and --since, which
    choose among those that have not ended. A running job stays running until its worker
    has stopped it; `lightwork jobs wait` tells when.
    """
    running: WhenRunning = "kill" if kill else "ask"
    if every or state or any(chosen):
        refuse_names(names, "--all, --state, --task, --queue and --since")
        states = [State(state)] if state else list(map(State, _UNFINISHED))
        cancel_matching(url, states, chosen, running, json=json, quiet=quiet)
        return
    after = _change(url, names, lambda store, ids: store.cancel(ids, running=running))
    good = ("cancelled", "running")
    _report(after, good=good, what="cannot be cancelled any more", json=json, quiet=quiet)


def _change(url: str, names: Sequence[JobName], change: Change) -> "list[Changed]":
    from lightwork.cli.jobs.waiting import refuse_unknown
    from lightwork.net.opening import open_store

    with closing(open_store(url, create=False)) as store:
        found = find_jobs(store, names)
        after = change(store, list(found))
        # One that was pruned meanwhile is as unknown as one that never was.
        refuse_unknown(store, [job_id for job_id in found if job_id not in after])
    return [(job_id, name, after[job_id]) for job_id, name in found.items()]


def _report(
    after: "Sequence[Changed]",
    *,
    good: Sequence[str],
    what: str,
    hindered: "Mapping[UUID, Hindrance] | None" = None,
    json: bool,
    quiet: bool,
) -> None:
    reasons = hindered or {}
    for job_id, name, state in after:
        fields = {"id": job_id, "state": state} | fields_of(reasons.get(job_id))
        answer(fields, f"{name}\t{state}", json=json, quiet=quiet)
    bad = [one for one in after if one[2] not in good]
    for job_id, name, state in bad:
        why = f": {reasons[job_id].text}" if job_id in reasons else ""
        note(f"lightwork: job {name} is {state} and {what}{why}")
    if bad:
        raise click.exceptions.Exit(1)
