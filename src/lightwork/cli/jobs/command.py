"""`lightwork jobs`: the list is what comes without a verb of its own.

    lightwork jobs [URL] [--state S] ...      the list; with --follow what happens from now on
    lightwork jobs show ID... [URL]           and so retry, cancel, wait

A job is named by its number or its UUID (names.py). Neither holds "://", so the
URL is told from them wherever it stands, and `lightwork jobs URL show ID` means the same.
"""

from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from lightwork.cli.jobs.change import cancel, retry
from lightwork.cli.jobs.show import show
from lightwork.cli.jobs.wait import wait
from lightwork.model import State
from lightwork.tasks.names import short_name
from lightwork.terminal.amounts import show_duration
from lightwork.terminal.options import duration, is_url, output_options, shown_word, url_argument
from lightwork.terminal.output import (
    STATE_COLOURS,
    draw_bar,
    first_line,
    is_terminal,
    one_line,
    plain_view,
    print_json,
    seconds_since,
)
from lightwork.terminal.table import Cell, Column, print_table

if TYPE_CHECKING:
    from lightwork.cli.jobs.because import Around
    from lightwork.store.contract import Store
    from lightwork.store.views import JobView

_LIST = "list"
# Only in a pipe: a terminal has better use for 36 characters, and the number is as good a name.
_NEVER = 1_000_000
_COLUMNS = (
    Column(title="ID", is_whole=True, is_number=True),
    Column(title="STATE", is_whole=True),
    Column(title="TASK", keeps_end=True),
    Column(title="QUEUE", from_width=110),
    Column(title="TRY", is_number=True, is_whole=True, from_width=110),
    Column(title="AGE", is_number=True, is_whole=True),
    Column(title="TOOK", is_number=True, is_whole=True, from_width=100),
    Column(title="ARGUMENTS", most=30, from_width=70),
    Column(title="NOTE"),
    Column(title="UUID", is_whole=True, from_width=_NEVER),
)


class ListByDefault(click.Group):
    """A group whose verb `list` need not be written."""

    # Words that mean a place as a URL does.
    places: frozenset[str] = frozenset()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find the verb behind a URL, or insert `list`."""
        if ctx.resilient_parsing:
            # Completion: the word that decides is still being typed.
            return super().parse_args(ctx, args)
        words = list(args)
        if len(words) > 1 and self._is_place(words[0]) and words[1] in self.commands:
            words[:2] = [words[1], words[0]]
        elif not words or (words[0] not in self.commands and words[0] not in ctx.help_option_names):
            if words and not words[0].startswith("-") and not self._is_place(words[0]):
                known = ", ".join((*sorted(self.places), *self.commands))
                raise click.UsageError(
                    f"{shown_word(words[0])!r} is neither a URL nor one of {known}",
                    ctx,
                )
            words.insert(0, _LIST)
        return super().parse_args(ctx, words)

    def _is_place(self, word: str) -> bool:
        return is_url(word) or word in self.places


@click.group(cls=ListByDefault, subcommand_metavar="[list] | VERB ...", no_args_is_help=False)
def jobs() -> None:
    """List jobs, or show, retry, cancel or wait for some.

    Without a verb: the list, which takes --state, --task, --queue and --limit
    (`lightwork jobs list --help`). The URL may stand anywhere among the ids.
    """


for verb in (show, retry, cancel, wait):
    jobs.add_command(verb)


@jobs.command(_LIST)
@url_argument
@click.option("--state", type=click.Choice([str(state) for state in State]), help="Only these.")
@click.option("--task", metavar="MODULE:FUNCTION", help="Only jobs of this task.")
@click.option("--queue", metavar="QUEUE", help="Only jobs of this queue.")
@click.option("--tag", metavar="TAG", help="Only jobs with this tag.")
@click.option("--since", type=duration, metavar="TIME",
              help="Only what ended in the last 30m, 2h, 7d; or was submitted then.")  # fmt: skip
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, metavar="N",
              help="At most so many.")  # fmt: skip
@click.option("--follow", is_flag=True,
              help="Tell of new jobs and of ends as they come, until Ctrl-C.")  # fmt: skip
@output_options
def list_jobs(
    *,
    url: str,
    state: str | None,
    task: str | None,
    queue: str | None,
    tag: str | None,
    since: float | None,
    limit: int,
    follow: bool,
    json: bool,
    quiet: bool,
) -> None:
    """List jobs, newest first."""
    from lightwork.cli.jobs.because import look_around
    from lightwork.net.opening import open_store

    chosen = State(state) if state else None
    if follow:
        _follow(url, chosen, task, queue, json=json, quiet=quiet)
        return
    with closing(open_store(url, create=False)) as store:
        found = store.jobs(state=chosen, task=task, queue=queue, since=since, limit=limit, tag=tag)
        arguments = {} if quiet else _arguments(store, found)
        around = None if quiet else look_around(store, found)
    if json:
        for view in found:
            print_json(_document(view, arguments[view.seq], around))
    elif quiet:
        for view in found:
            click.echo(str(view.id))
    else:
        print_table(_COLUMNS, [_row(view, arguments[view.seq], around) for view in found])


def _follow(
    url: str, state: State | None, task: str | None, queue: str | None, *, json: bool, quiet: bool
) -> None:
    from lightwork.cli.jobs.follow import Filter, follow
    from lightwork.net.opening import open_store

    wanted = Filter(state, task, queue)
    with closing(open_store(url, create=False)) as store:
        follow(store, wanted, json=json, quiet=quiet)


def _arguments(store: "Store", found: "list[JobView]") -> dict[int, str]:
    from lightwork.cli.jobs.arguments import LISTED, listed_arguments

    payloads = store.payloads([view.id for view in found], largest=LISTED)
    return {
        view.seq: listed_arguments(view.id, payloads.get(view.id, b""), view.payload_size)
        for view in found
    }


def _document(view: "JobView", arguments: str, around: "Around | None") -> dict[str, Any]:
    from lightwork.cli.jobs.because import why_waiting

    why = why_waiting(view, around) if around else ""
    return plain_view(view) | {"arguments": arguments, "waiting_because": why or None}


def _row(view: "JobView", arguments: str, around: "Around | None") -> list[Cell]:
    return [
        Cell(str(view.seq)),
        Cell(view.state, STATE_COLOURS[view.state]),
        Cell(one_line(short_name(view.task))),
        Cell(one_line(view.queue)),
        Cell(str(view.attempt)),
        Cell(show_duration(seconds_since(view.created_at))),
        Cell(_took(view)),
        Cell(arguments),
        _note(view, around),
        Cell(str(view.id)),
    ]


def _took(view: "JobView") -> str:
    if view.started_at is None or view.state in {State.SCHEDULED, State.READY}:
        return ""
    if view.finished_at is None:
        return show_duration(seconds_since(view.started_at))
    return show_duration(max((view.finished_at - view.started_at).total_seconds(), 0.0))


def _note(view: "JobView", around: "Around | None") -> Cell:
    from lightwork.cli.jobs.because import NOT_YET, why_waiting

    if around is not None and view.state in {State.READY, State.BLOCKED}:
        why = why_waiting(view, around)
        return Cell("" if why == NOT_YET else one_line(why), "yellow")
    if view.state is State.RUNNING:
        return Cell(_progress(view), "yellow")
    if view.state is State.SCHEDULED and view.due_at is not None:
        left = -seconds_since(view.due_at)
        return Cell(f"due in {show_duration(left)}" if left > 0 else "due")
    if view.error is not None:
        return Cell(f"{one_line(view.error.type)}: {first_line(view.error.text)}", "red")
    return Cell("")


def _progress(view: "JobView") -> str:
    words = ["stop asked"] if view.cancel_requested else []
    done, total = view.progress.done, view.progress.total
    if total > 0:
        bar = f"{draw_bar(done / total, 10)} " if is_terminal() else ""
        words.append(f"{bar}{done / total:.0%}")
    elif done:
        words.append(f"{done:g}")
    return " ".join([*words, first_line(view.progress.note)]).strip()
