"""`lightwork schedules`: the list is what comes without a verb of its own.

    lightwork schedules [URL]                                        the list
    lightwork schedules add [URL] NAME SPEC MODULE:FUNCTION [ARG]... one more
    lightwork schedules pause NAME... [URL]                          and so resume, remove, run
    lightwork schedules next NAME [URL]                              when it is due

A schedule that is declared in code has the name of its task. All names are looked up
before anything is done: a mistyped one changes nothing.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import click

from lightwork.cli.jobs.command import ListByDefault
from lightwork.cli.schedules.add import add
from lightwork.cli.schedules.view import COLUMNS, document, row, when_text
from lightwork.tasks.names import short_name
from lightwork.terminal.options import choose_url, is_url, output_options, url_argument
from lightwork.terminal.output import answer, note, one_line, plain, print_json, printable
from lightwork.terminal.table import print_table

if TYPE_CHECKING:
    from lightwork.store.contract import Store
    from lightwork.store.views import ScheduleView

_MOST_TIMES: Final = 1000


class _Target(NamedTuple):
    """A store, and the names that were typed."""

    url: str
    names: tuple[str, ...]


@click.group(cls=ListByDefault, subcommand_metavar="[list] | VERB ...", no_args_is_help=False)
def schedules() -> None:
    """List schedules; add, pause, resume, remove or run one.

    Tasks that are declared with a schedule, @lw.task(schedule="0 3 * * *"), are kept here by
    the workers that know them; `add` keeps others. Any worker makes the jobs.
    """


schedules.add_command(add)


@schedules.command("list")
@url_argument
@output_options
def list_schedules(*, url: str, json: bool, quiet: bool) -> None:
    """List schedules: when they are due, and when they were last."""
    with closing(_open(url)) as store:
        found = store.schedules()
        workers = [] if quiet else store.workers()
    if json:
        for view in found:
            print_json(document(view))
    elif quiet:
        for view in found:
            click.echo(printable(view.name))
    else:
        print_table(COLUMNS, [row(view, workers) for view in found])


def _names(verb: Callable[..., None]) -> Callable[..., None]:
    """Accept names of schedules and, among them, a URL; the verb receives both as `target`."""

    def split(ctx: click.Context, _param: click.Parameter, words: tuple[str, ...]) -> _Target:
        urls = [word for word in words if is_url(word)]
        names = tuple(dict.fromkeys(word for word in words if not is_url(word)))
        if not names or len(urls) > 1:
            raise click.UsageError("name at least one schedule, and at most one URL", ctx)
        return _Target(choose_url(ctx, *urls), names)

    return click.argument("target", nargs=-1, metavar="NAME... [URL]", callback=split)(verb)


@schedules.command()
@_names
@output_options
def pause(*, target: _Target, json: bool, quiet: bool) -> None:
    """Let a schedule make no jobs until it is resumed."""
    with closing(_open(target.url)) as store:
        for view in _find(store, target.names):
            if not store.pause_schedule(view.name):
                _refuse_gone(view)
            _tell(view, {"state": "paused"}, "is paused", json=json, quiet=quiet)


@schedules.command()
@_names
@output_options
def resume(*, target: _Target, json: bool, quiet: bool) -> None:
    """Let it make jobs again. What was due in its pause is not caught up."""
    with closing(_open(target.url)) as store:
        for view in _find(store, target.names):
            if not store.resume_schedule(view.name):
                _refuse_gone(view)
            _tell(view, {"state": "active"}, "goes on", json=json, quiet=quiet)


@schedules.command()
@_names
@output_options
def remove(*, target: _Target, json: bool, quiet: bool) -> None:
    """Forget a schedule; the jobs that it has made stay."""
    with closing(_open(target.url)) as store:
        found = _find(store, target.names)
        gone = set(store.remove_schedules([view.name for view in found]))
    for view in found:
        if view.name not in gone:
            _refuse_gone(view)
        _tell(view, {"removed": True}, "is removed", json=json, quiet=quiet)
        if view.origin == "code":
            note(
                f"lightwork: {_shown(view)} is declared in code: the next worker that starts with its "
                "module brings it back; take it out there, or pause it"
            )


@schedules.command()
@_names
@output_options
def run(*, target: _Target, json: bool, quiet: bool) -> None:
    """Make a job of a schedule now, and print its id; it is due as before.

    If another job holds its unique key, none is made, and the id is that of the other.
    """
    from lightwork.durable.ids import new_job_id

    with closing(_open(target.url)) as store:
        for view in _find(store, target.names):
            new_id = new_job_id()
            job_id = store.run_schedule(view.name, new_id)
            if job_id is None:
                _refuse_gone(view)
            if job_id != new_id:
                state = store.states([job_id]).get(job_id, "gone")
                note(
                    f"lightwork: no job of {_shown(view)} was made: job {job_id}, which is {state}, "
                    "holds its unique key"
                )
            made = {"schedule": view.name, "job": job_id, "is_new": job_id == new_id}
            print_json(made) if json else click.echo(str(job_id))
    del quiet  # An id is the bare answer.


@schedules.command("next")
@_names
@click.option("--count", type=click.IntRange(1, _MOST_TIMES), default=5, show_default=True,
              metavar="N", help="So many times.")  # fmt: skip
@output_options
def next_times(*, target: _Target, count: int, json: bool, quiet: bool) -> None:
    """Show when a schedule is due next, by the clock of its time zone."""
    from lightwork.cli.schedules.view import coming_times

    with closing(_open(target.url)) as store:
        found = _find(store, target.names)
    for view in found:
        for at in coming_times(view, count):
            if json:
                print_json({"schedule": view.name, "due_at": plain(at.astimezone(UTC))})
            else:
                click.echo(f"{at.isoformat()}" if quiet else when_text(view, at))
        if view.paused_at is not None:
            note(f"lightwork: {_shown(view)} is paused: it is due only after `resume`")


def _open(url: str) -> "Store":
    from lightwork.net.opening import open_store

    return open_store(url, create=False)


def _find(store: "Store", names: Sequence[str]) -> "list[ScheduleView]":
    """Return the schedules that are meant: by name, or by the task's name without its origin.

    Raises:
        UsageError: There is none, or more than one.
    """
    from lightwork.error_text import did_you_mean
    from lightwork.errors import UsageError

    kept = store.schedules()
    found = []
    for name in names:
        meant = [view for view in kept if view.name == name]
        meant = meant or [view for view in kept if short_name(view.name) == name]
        if not meant:
            near = did_you_mean(name, [short_name(view.name) for view in kept])
            raise UsageError(
                f"{store.safe_url} has no schedule {name!r}"
                f"{near or '; `lightwork schedules` lists those that there are'}"
            )
        if len(meant) > 1:
            raise UsageError(
                f"several schedules are called {name!r}, say which: "
                f"{', '.join(view.name for view in meant)}"
            )
        found += meant
    return found


def _refuse_gone(view: "ScheduleView") -> NoReturn:
    from lightwork.errors import UsageError

    raise UsageError(f"the schedule {view.name!r} was removed a moment ago")


def _shown(view: "ScheduleView") -> str:
    return one_line(short_name(view.name))


def _tell(
    view: "ScheduleView", found: dict[str, Any], text: str, *, json: bool, quiet: bool
) -> None:
    answer({"schedule": view.name} | found, f"{_shown(view)} {text}", json=json, quiet=quiet)
