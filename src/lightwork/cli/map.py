"""`lightwork map`: a command or function for each line of input, in the manner of GNU parallel.

What differs from GNU parallel, and why, stands in cli/parallel/__init__.py.
"""

import sys
from collections.abc import Container, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from lightwork.cli.main import FAILED
from lightwork.cli.options import DEFAULT_URL, duration, is_url, output_options
from lightwork.cli.output import note

if TYPE_CHECKING:
    from lightwork.cli.parallel.calls import Calls
    from lightwork.cli.parallel.course import Course
    from lightwork.cli.parallel.joblog import Joblog
    from lightwork.cli.parallel.jobs import End, MapJob
    from lightwork.cli.parallel.sources import Source, Values
    from lightwork.pool.command import CommandTemplate

_MOST_JOBS: Final = 1024
# Inputs that may be taken and not yet shown, where one may wait for another.
_WINDOW: Final = 256
_SOURCES: Final = "lightwork.map.sources"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    """What was typed."""

    command: str
    sources: "list[Source]"
    jobs: int | None
    null: bool
    colsep: str
    keep_order: bool
    joblog: str
    resume: bool
    resume_failed: bool
    halt: str
    timeout: float
    retries: int
    dry_run: bool
    tag: bool
    bar: bool
    shell: bool
    func: bool
    where: str
    url: str
    key: str
    json: bool
    quiet: bool


class _MapCommand(click.Command):
    """Parts the sources from the options: what follows ::: is never an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the sources aside and parse the rest."""
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)  # Half a command line, to be completed.
        from lightwork.cli.parallel.sources import split_command_line

        own, ctx.meta[_SOURCES] = split_command_line(args)
        return super().parse_args(ctx, own)


@click.command(
    cls=_MapCommand,
    name="map",
    options_metavar="[OPTIONS]",
    epilog="Exit status: 0 all succeeded, 1 any failed, 2 wrong use, 3 the store is out of reach, "
    "130 Ctrl-C.",
)
@click.argument("words", nargs=-1, metavar="'COMMAND {}' [::: VALUE... | :::: FILE...]")
@click.option("-j", "--jobs", type=click.IntRange(0, _MOST_JOBS), metavar="N",
              help="Run N at a time; default: one a CPU. With --url, 0 leaves them to workers.")  # fmt: skip
@click.option("-k", "--keep-order", is_flag=True, help="Show outputs in the order of the inputs.")
@click.option("-0", "--null", is_flag=True, help="NUL ends an input, not a line end.")
@click.option("--colsep", default="", metavar="REGEX", help="Part each input into {1}, {2} ...")
@click.option("--joblog", default="", metavar="FILE", help="A line for each job that ended.")
@click.option("--resume", is_flag=True, help="Skip the jobs that are in the joblog.")
@click.option("--resume-failed", is_flag=True, help="Skip those that succeeded only.")
@click.option("--halt", default="never", show_default=True, metavar="RULE",
              help="Stop early: now,fail=1 (kills) or soon,fail=20% (starts no more).")  # fmt: skip
@click.option("--timeout", type=duration, default="0s", metavar="TIME",
              help="Kill a job that runs longer: 30s, 10m; 0s: no limit.")  # fmt: skip
@click.option("--retries", type=click.IntRange(0, 10**6), default=0, metavar="N",
              help="Run a failed job up to N more times.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print what would be run.")
@click.option("--tag", is_flag=True, help="Begin each line of output with the job's values.")
@click.option("--bar", "--progress", is_flag=True, help="Show on stderr how far it is.")
@click.option("--shell/--no-shell", default=True, show_default=True,
              help="Whether COMMAND is read by /bin/sh; values are quoted for it.")  # fmt: skip
@click.option("--func", is_flag=True, help="COMMAND is MODULE:FUNCTION, called with each input.")
@click.option("--where", type=click.Choice(["processes", "threads"]), default="processes",
              show_default=True, help="What runs a function.")  # fmt: skip
@click.option("--url", default="", metavar="URL", help="Keep functions' jobs in this store.")
@click.option("--key", default="map", show_default=True, metavar="NAME",
              help="With --url: names the map; the same name and input are the same jobs.")  # fmt: skip
@output_options
@click.pass_context
def map_(ctx: click.Context, /, *, words: tuple[str, ...], **typed: Any) -> None:
    """Run COMMAND once for each input, several at a time.

    Inputs are the lines of standard input, the words after :::, or the lines of the
    files after ::::; several sources are combined, :::+ and ::::+ go side by side.

    \b
    {}   the input          {.}   without extension   {/}  without folders
    {//} its folder         {/.}  without both        {2}  second value, {2.} ...
    {#}  number of the job  without any of these the input is appended

    \b
    ls *.log | lightwork map 'gzip -k {}' -j 8
    lightwork map 'convert {1} -resize {2} {1.}-{2}.png' ::: *.jpg ::: 100 800
    lightwork map --func script:square -k ::: 1 2 3
    """  # noqa: D301 - click reads the backspace
    settings = _Settings(command=_one_word(words), sources=ctx.meta[_SOURCES], **typed)
    _check(settings)
    jobs = _jobs_to_run(settings)
    if not settings.sources and sys.stdin.isatty() and not settings.quiet:
        note("lightwork: reads inputs from this terminal, one a line; Ctrl-D ends them")
    if settings.dry_run:
        _print_commands(settings, jobs)
        return
    _run(settings, jobs)


def _one_word(words: tuple[str, ...]) -> str:
    if len(words) == 1 and words[0].strip():
        return words[0]
    seen = f"{len(words)} words: {' '.join(words)}" if words else "none"
    raise click.UsageError(
        f"the command is one word of the command line, so quote it: 'gzip -k {{}}'; seen: {seen}"
    )


def _check(settings: _Settings) -> None:
    from lightwork.cli.parallel.halt import parse_halt

    parse_halt(settings.halt)
    if settings.url:
        _check_durable(settings)
    elif settings.jobs == 0:
        raise click.UsageError("-j 0 leaves the jobs to workers of a store: name it with --url")
    if (settings.resume or settings.resume_failed) and not (settings.joblog or settings.url):
        raise click.UsageError("--resume needs to know what was done: name the --joblog of then")


def _check_durable(settings: _Settings) -> None:
    from lightwork.errors import UsageError

    if not is_url(settings.url):
        raise click.UsageError(
            f"--url {settings.url}: not the URL of a store; expected {DEFAULT_URL}"
        )
    if not settings.func:
        raise UsageError(
            "--url keeps jobs of functions (--func MODULE:FUNCTION); commands in a store are "
            "not there yet: run the command here with --joblog and --resume, or call it from "
            "a task with lw.Command"
        )


def _jobs_to_run(settings: _Settings) -> "Iterator[MapJob]":
    from lightwork.cli.parallel.joblog import read_done
    from lightwork.cli.parallel.jobs import MapJob

    done: Container[int] = ()
    # With a store it is the store that knows.
    if (settings.resume or settings.resume_failed) and settings.joblog and not settings.url:
        done = read_done(settings.joblog, failed_too=not settings.resume_failed)
    values = _values(settings)
    numbered = (MapJob(seq, job_values) for seq, job_values in enumerate(values, start=1))
    return (job for job in numbered if job.seq not in done)


def _values(settings: _Settings) -> "Iterator[Values]":
    import itertools

    from lightwork.cli.parallel.reading import open_blocks
    from lightwork.cli.parallel.sources import Source, column_splitter, combine, split_items

    split = column_splitter(settings.colsep)
    separator = b"\0" if settings.null else b"\n"

    def items(source: Source) -> Iterator[str]:
        if not source.is_files:
            return iter(source.words)
        # A list: a file that is not there is found now, not after an hour.
        files = [open_blocks(path) for path in source.words]
        return itertools.chain.from_iterable(split_items(file, separator) for file in files)

    sources = settings.sources or [Source(is_files=True, is_linked=False, words=("-",))]
    return combine([(source.is_linked, map(split, items(source))) for source in sources])


def _template(settings: _Settings) -> "CommandTemplate":
    import shlex

    from lightwork.errors import UsageError
    from lightwork.pool.command import Command

    argv: str | list[str] = settings.command
    if not settings.shell:
        try:
            argv = shlex.split(settings.command)
        except ValueError as error:
            raise UsageError(f"the command cannot be parted into words: {error}") from error
    return Command.template(argv, shell=settings.shell, timeout=settings.timeout)


def _print_commands(settings: _Settings, jobs: "Iterator[MapJob]") -> None:
    import os
    import shlex

    template = None if settings.func else _template(settings)
    for job in jobs:
        if template is None:
            text = shlex.join([settings.command, *job.values])
        else:
            text = str(template.command(*job.values, seq=job.seq))
        click.echo(os.fsencode(text))


def _run(settings: _Settings, jobs: "Iterator[MapJob]") -> None:
    from lightwork.cli.parallel.course import Course
    from lightwork.cli.parallel.joblog import Joblog

    keep = settings.resume or settings.resume_failed
    log = Joblog(settings.joblog, keep=keep) if settings.joblog else None
    try:
        course = Course(_calls(settings), jobs, _course_options(settings))
        with closing(course.ends()) as ends:  # type: ignore[type-var]  # a generator
            _show_all(settings, ends, log)
    except KeyboardInterrupt:
        _sum_up(settings, course, "interrupted: ")
        raise
    finally:
        if log is not None:
            log.close()
    _sum_up(settings, course, "halted: " if course.is_halted else "")
    if course.tally.failed:
        raise click.exceptions.Exit(FAILED)


def _course_options(settings: _Settings) -> Any:
    from lightwork.cli.parallel.course import CourseOptions
    from lightwork.cli.parallel.halt import NEVER, parse_halt

    halt = parse_halt(settings.halt)
    slots = max(_slots(settings), 1)
    window = max(2 * slots, _WINDOW if settings.keep_order or settings.func else 1)
    return CourseOptions(
        window=window,
        in_flight=window if halt == NEVER else slots,
        keeps_order=settings.keep_order,
        retries=0 if settings.url else settings.retries,
        halt=halt,
    )


def _slots(settings: _Settings) -> int:
    from lightwork.pool.cpus import usable_cpus

    return usable_cpus() if settings.jobs is None else settings.jobs


def _calls(settings: _Settings) -> "Calls":
    from lightwork.cli.modules import find_function
    from lightwork.cli.parallel.calls import CommandCalls, FunctionCalls
    from lightwork.cli.parallel.functions import with_policy

    slots = _slots(settings)
    if not settings.func:
        return CommandCalls(_template(settings), slots=slots)
    fn = find_function(settings.command)
    if settings.url:
        return _job_calls(
            settings, with_policy(fn, timeout=settings.timeout, retries=settings.retries or None)
        )
    if settings.timeout and settings.where == "threads":
        raise click.UsageError("--timeout kills, which a thread cannot be: use --where processes")
    # The course of the map runs failed jobs again; a task's own attempts would multiply that.
    fn = with_policy(fn, timeout=settings.timeout, retries=0 if settings.retries else None)
    return FunctionCalls(fn, name=settings.command, where=f"{settings.where}:{slots}")


def _job_calls(settings: _Settings, fn: Any) -> "Calls":
    from lightwork.cli.parallel.job_calls import JobCalls
    from lightwork.model import State

    again = set()
    if settings.resume or settings.resume_failed:
        again.add(State.CANCELLED)
    if settings.resume_failed:
        again.add(State.FAILED)
    slots = _slots(settings)
    calls = JobCalls(fn, url=settings.url, slots=slots, key=settings.key, again=frozenset(again))
    if not slots and not settings.quiet and not calls.has_workers:
        module = settings.command.partition(":")[0]
        note(
            "lightwork: no worker is alive, the jobs wait for one: "
            f"lightwork worker {settings.url} -m {module}"
        )
    return calls


def _show_all(settings: _Settings, ends: "Iterator[End]", log: "Joblog | None") -> None:
    from lightwork.cli.parallel.printing import Printer
    from lightwork.cli.parallel.sources import count_jobs
    from lightwork.pool.show import show_progress

    printer = Printer(tag=settings.tag, json=settings.json, quiet=settings.quiet)
    if settings.bar:
        ends = show_progress(ends, count_jobs(settings.sources), title=settings.command)
    for end in ends:
        printer.show(end)
        # After it was shown: what the joblog has is not run again, so it must not be lost.
        if log is not None:
            log.add(end)


def _sum_up(settings: _Settings, course: "Course", what: str) -> None:
    tally = course.tally
    if settings.quiet or not (what or tally.failed):
        return
    cut = f", {course.cut_short} unfinished" if course.cut_short else ""
    again = "; --resume goes on from here" if what and settings.joblog else ""
    note(f"lightwork: {what}{tally.succeeded} succeeded, {tally.failed} failed{cut}{again}")
