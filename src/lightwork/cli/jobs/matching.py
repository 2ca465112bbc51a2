"""Matching: jobs that are chosen by what they are instead of by their names.

A batch in a transaction, downwards by seq: what comes into the state meanwhile is
not met a second time. So children come before their parents: those that need one
of a later batch are retried once more at the end.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

import click

from lightwork.cli.jobs.names import JobName
from lightwork.model import State
from lightwork.terminal.options import duration
from lightwork.terminal.output import answer, note

if TYPE_CHECKING:
    from uuid import UUID

    from lightwork.store.contract import Store, WhenRunning
    from lightwork.store.views import ChangedJob, Hindrance

F = TypeVar("F", bound=Callable[..., Any])

# Jobs that one transaction changes: milliseconds of the lock for writing.
_BATCH: Final = 1000


class Chosen(NamedTuple):
    """What --task, --queue and --since say; "" and 0: nothing."""

    task: str
    queue: str
    since: float


def filter_options(verb: F) -> F:
    """Accept --task, --queue and --since, which the verb receives as `chosen`."""

    @functools.wraps(verb)
    def with_filter(*args: Any, task: str, queue: str, since: float | None, **options: Any) -> Any:
        return verb(*args, chosen=Chosen(task, queue, since or 0.0), **options)

    task = click.option("--task", default="", metavar="MODULE:FUNCTION", help="Only of this task.")
    queue = click.option("--queue", default="", metavar="QUEUE", help="Only of this queue.")
    since = click.option("--since", type=duration, default=None, metavar="TIME",
                         help="Only what ended in the last 30m, 2h, 7d; or was submitted then.")  # fmt: skip
    return cast("F", task(queue(since(with_filter))))


def refuse_names(names: Sequence[JobName], options: str) -> None:
    """Raise if there are names, too.

    Raises:
        click.UsageError: There are.
    """
    if names:
        raise click.UsageError(f"{options} choose jobs instead of IDs: say one or the other")


def retry_matching(
    url: str, states: Sequence[State], chosen: Chosen, *, json: bool, quiet: bool
) -> None:
    """Make all that match ready again; tell which, and which are skipped for what reason."""
    from lightwork.net.opening import open_store

    count = skipped = 0
    with closing(open_store(url, create=False)) as store:
        for found in _retried(store, states, chosen):
            again = [job for job in found if job.state in {State.READY, State.BLOCKED}]
            hindered = [job for job in found if job.hindrance]
            _tell([*again, *hindered], json=json, quiet=quiet)
            count += len(again)
            skipped += len(hindered)
    more = f"; {skipped} {'was' if skipped == 1 else 'were'} skipped" if skipped else ""
    note(f"lightwork: {count} {'job is' if count == 1 else 'jobs are'} ready again{more}")


def fields_of(hindrance: "Hindrance | None") -> dict[str, Any]:
    """Return what JSON says of a job that could not be retried; nothing of others."""
    if hindrance is None:
        return {}
    return {"hindrance": hindrance.kind, "hindered_by": hindrance.job_id}


def _retried(
    store: "Store", states: Sequence[State], chosen: Chosen
) -> "Iterator[list[ChangedJob]]":
    """Yield what was found, retried or not, a batch at a time."""
    children: list[ChangedJob] = []
    for found in _batches(states, chosen, store.retry_where):
        children += [job for job in found if _needs_parent(job)]
        yield [job for job in found if not _needs_parent(job)]
    # Parents first, and now that all of these were retried that could be.
    rest = sorted(children, key=lambda job: job.seq)
    for first in range(0, len(rest), _BATCH):
        batch = rest[first : first + _BATCH]
        hindered: dict[UUID, Hindrance] = {}
        after = store.retry([job.id for job in batch], hindered=hindered)
        yield [
            dataclasses.replace(job, state=after[job.id], hindrance=hindered.get(job.id))
            for job in batch
            if job.id in after
        ]


def _needs_parent(job: "ChangedJob") -> bool:
    return job.hindrance is not None and job.hindrance.kind == "parent"


def cancel_matching(
    url: str,
    states: Sequence[State],
    chosen: Chosen,
    running: "WhenRunning",
    *,
    json: bool,
    quiet: bool,
) -> None:
    """Cancel all that match, and tell which."""
    from lightwork.net.opening import open_store

    cancelled = asked = 0
    with closing(open_store(url, create=False)) as store:
        change = functools.partial(store.cancel_where, running=running)
        for found in _batches(states, chosen, change):
            done = [job for job in found if job.state in {State.CANCELLED, State.RUNNING}]
            cancelled += sum(job.state is State.CANCELLED for job in done)
            asked += sum(job.state is State.RUNNING for job in done)
            _tell(done, json=json, quiet=quiet)
    more = f"; {asked} that run {'was' if asked == 1 else 'were'} asked to stop" if asked else ""
    note(f"lightwork: {cancelled} {'job is' if cancelled == 1 else 'jobs are'} cancelled{more}")


def _batches(
    states: Sequence[State], chosen: Chosen, change: "Callable[..., list[ChangedJob]]"
) -> "Iterator[list[ChangedJob]]":
    from lightwork.store.views import JobFilter

    for state in states:
        which = JobFilter(state=state, task=chosen.task, queue=chosen.queue, since=chosen.since)
        before = None
        while found := change(which, limit=_BATCH, before_seq=before):
            before = found[-1].seq
            yield found


def _tell(jobs: "Sequence[ChangedJob]", *, json: bool, quiet: bool) -> None:
    for job in jobs:
        found = {"id": job.id, "state": job.state} | fields_of(job.hindrance)
        why = f"\tskipped: {job.hindrance.text}" if job.hindrance else ""
        answer(found, f"{job.seq}\t{job.state}{why}", json=json, quiet=quiet)
