"""`lightwork jobs wait`: return when jobs have ended; a line tells how far they are."""

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING
from uuid import UUID

import click

from lightwork.cli.jobs.names import JobName, find_jobs, targets_argument
from lightwork.terminal.options import duration, output_options
from lightwork.terminal.output import answer, draw_bar, first_line, note, one_line

if TYPE_CHECKING:
    from lightwork.model import JobOutcome
    from lightwork.store.contract import Store

_BAR_WIDTH = 20
_CLEAR_LINE = "\r\x1b[K"


@click.command()
@targets_argument
@click.option("--timeout", type=duration, metavar="TIME", help="Give up after so long, status 1.")
@output_options
def wait(*, url: str, names: list[JobName], timeout: float | None, json: bool, quiet: bool) -> None:
    """Wait until jobs have ended; exit status 1 unless all of them succeeded."""
    from lightwork.cli.jobs.waiting import wait_for_ends
    from lightwork.net.opening import open_store

    is_good = True
    with closing(open_store(url, create=False)) as store:
        found = find_jobs(store, names)
        line = ProgressLine(store, len(found), is_shown=not quiet and sys.stderr.isatty())
        limit = float("inf") if timeout is None else timeout
        try:
            ends = wait_for_ends(
                store, list(found), timeout=limit, on_look=line.draw, tell=line.interrupt
            )
            for outcome in ends:
                line.clear()
                is_good = is_good and outcome.state == "succeeded"
                _report(found[outcome.job_id], outcome, json=json, quiet=quiet)
        finally:
            line.clear()
    if not is_good:
        raise click.exceptions.Exit(1)


class ProgressLine:
    """One line of a terminal that is drawn again and again."""

    def __init__(self, store: "Store", total: int, *, is_shown: bool) -> None:
        self._store = store
        self._total = total
        self._is_shown = is_shown

    def draw(self, waiting: Sequence[UUID]) -> None:
        """Show how far the jobs are."""
        if not self._is_shown:
            return
        text = self._one(waiting[0]) if self._total == 1 else self._many(waiting)
        click.echo(f"{_CLEAR_LINE}{text}", nl=False, err=True)

    def interrupt(self, text: str) -> None:
        """Say something else in its place; it is drawn again below."""
        self.clear()
        note(text)

    def clear(self) -> None:
        """Take the line away."""
        if self._is_shown:
            click.echo(_CLEAR_LINE, nl=False, err=True)

    def _one(self, job_id: UUID) -> str:
        view = self._store.job(job_id)
        if view is None:
            return ""
        progress = view.progress
        share = progress.done / progress.total if progress.total > 0 else 0.0
        return f"{draw_bar(share, _BAR_WIDTH)} {view.state} {first_line(progress.note)}"

    def _many(self, waiting: Sequence[UUID]) -> str:
        ended = self._total - len(waiting)
        counts = Counter(self._store.states(waiting).values())
        states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        return f"{draw_bar(ended / self._total, _BAR_WIDTH)} {ended} of {self._total}, {states}"


def _report(name: JobName, outcome: "JobOutcome", *, json: bool, quiet: bool) -> None:
    from lightwork.cli.jobs.outcome import result_fields

    error = outcome.error
    document = {"id": outcome.job_id, "state": outcome.state} | result_fields(outcome)
    answer(document, f"{name}\t{outcome.state}", json=json, quiet=quiet)
    if error is not None and not json:
        why = f"{one_line(error.type)}: {first_line(error.text)}"
        note(f"lightwork: job {name} failed in attempt {outcome.attempt}: {why}")
