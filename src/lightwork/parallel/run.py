"""Run: a map from what was typed to its exit status.

inputs ──> jobs ──> JobLoop ──> printing, results, joblog ──> exit status
"""

import os
import random
import shlex
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any, Final

import click

from lightwork.command.command import Command, CommandTemplate
from lightwork.errors import UsageError
from lightwork.model import State
from lightwork.parallel import sources
from lightwork.parallel.calls import Calls, FunctionCalls
from lightwork.parallel.commands import CommandCalls, command_of
from lightwork.parallel.gate import OPEN
from lightwork.parallel.halt import NEVER, exit_status
from lightwork.parallel.job_loop import JobLoop, LoopOptions
from lightwork.parallel.joblog import Joblog, read_done
from lightwork.parallel.jobs import End, MapJob
from lightwork.parallel.live import Live
from lightwork.parallel.printing import Printer
from lightwork.parallel.reading import open_blocks
from lightwork.parallel.results import keep_outputs
from lightwork.parallel.settings import MapSettings
from lightwork.parallel.sources import Source, Values
from lightwork.pool.executor.progress_bar import show_progress
from lightwork.pool.open_pool import open_pool
from lightwork.terminal.modules import find_function, with_policy
from lightwork.terminal.output import note

# Inputs that may be taken and not yet shown, where one may wait for another.
_WINDOW: Final = 256
# Seconds between two looks at the outputs of running jobs.
_LINE_SECONDS: Final = 0.05
# And between two looks at the gate.
_PATIENCE: Final = 0.5
# More attempts than anybody waits for, where a number must be said.
_FOR_EVER: Final = 1_000_000


def run_map(settings: MapSettings) -> int:
    """Run a map, or show what it would run, and return its exit status."""
    jobs = _jobs(settings)
    if settings.eta or settings.shuf:
        jobs = _all_jobs(settings, jobs)
    if settings.dry_run:
        _print_commands(settings, jobs)
        return 0
    return _run(settings, jobs)


def _jobs(settings: MapSettings) -> Iterable[MapJob]:
    if settings.pipe:
        blocks = _blocks(settings)
        jobs = (MapJob(n, (), block) for n, block in enumerate(blocks, start=1))
    else:
        least = settings.group or 0
        values = _values(settings)
        jobs = (MapJob(n, found, None, least) for n, found in enumerate(values, start=1))
    done: Container[int] = ()
    # With a store it is the store that knows.
    if settings.resumes and settings.joblog and not settings.url:
        done = read_done(settings.joblog, failed_too=not settings.resume_failed)
    return (job for job in jobs if job.seq not in done)


def _all_jobs(settings: MapSettings, jobs: Iterable[MapJob]) -> Sequence[MapJob]:
    found = list(jobs)
    if settings.shuf:
        order = random.sample(found, len(found))
        # Numbers follow the new order, as in GNU parallel.
        found = [MapJob(n, job.values, job.block, job.least) for n, job in enumerate(order, 1)]
    return found


def _values(settings: MapSettings) -> Iterator[Values]:
    split = sources.column_splitter(settings.colsep)
    separator = b"\0" if settings.null else b"\n"

    def items(source: Source) -> Iterator[str]:
        if not source.is_files:
            return iter(source.words)
        # Opened now: a file that is not there is found at once, not after an hour.
        return sources.split_items(open_blocks(*source.words), separator)

    typed = settings.sources or sources.file_sources(["-"])
    values = sources.combine([(source.is_linked, map(split, items(source))) for source in typed])
    return values if settings.group is None else sources.in_groups(values, settings.group)


def _blocks(settings: MapSettings) -> Iterator[bytes]:
    (source,) = settings.sources or sources.file_sources(["-"])
    read = open_blocks(*source.words)
    if settings.group:
        return sources.split_records(read, settings.record_end, settings.group)
    return sources.split_blocks(read, settings.record_end, settings.block_bytes)


def _template(settings: MapSettings) -> CommandTemplate:
    argv: str | list[str] = settings.command
    if not settings.shell:
        try:
            argv = shlex.split(settings.command)
        except ValueError as error:
            raise UsageError(f"the command cannot be parted into words: {error}") from error
    return Command.template(argv, shell=settings.shell, timeout=settings.timeout)


def _print_commands(settings: MapSettings, jobs: Iterable[MapJob]) -> None:
    template = None if settings.func else _template(settings)
    for job in jobs:
        words = [settings.command, *job.values]
        text = shlex.join(words) if template is None else str(command_of(template, job))
        click.echo(os.fsencode(text))


def _run(settings: MapSettings, jobs: Iterable[MapJob]) -> int:
    log = Joblog(settings.joblog, keep=settings.resumes) if settings.joblog else None
    live = Live() if settings.line_buffer else None
    printer = Printer(settings, live)
    total = len(jobs) if isinstance(jobs, Sequence) else _count(settings)
    try:
        options = _course_options(settings, printer)
        loop = JobLoop(_calls(settings, live), iter(jobs), options)
        with closing(loop.ends()) as ends:  # type: ignore[type-var]  # a generator
            shown = ends
            if settings.bar or settings.eta:
                shown = show_progress(ends, total, title=settings.command)
            last_failure = _tell_all(settings, shown, printer, log)
    except KeyboardInterrupt:
        _sum_up(settings, loop, "interrupted: ")
        raise
    finally:
        if log is not None:
            log.close()
    _sum_up(settings, loop, "halted: " if loop.is_halted else "")
    reached = options.halt if loop.is_halted else NEVER
    return exit_status(loop.tally, reached, last_failure)


def _count(settings: MapSettings) -> int:
    if settings.pipe:
        return 0
    return -(-sources.count_jobs(settings.sources) // (settings.group or 1))


def _course_options(settings: MapSettings, printer: Printer) -> LoopOptions:
    halt, gate = settings.halt_rule, settings.gate_rules
    slots = max(settings.slots, 1)
    window = max(2 * slots, _WINDOW if settings.keep_order or settings.func else 1)
    attempts = 1 if settings.retries is None or settings.url else settings.retries
    return LoopOptions(
        window=window,
        in_flight=window if halt == NEVER and gate == OPEN else slots,
        keeps_order=settings.keep_order,
        attempts=attempts,
        halt=halt,
        gate=gate,
        on_wake=printer.show_lines,
        patience=_LINE_SECONDS if settings.line_buffer else _PATIENCE,
    )


def _calls(settings: MapSettings, live: Live | None) -> Calls:
    slots = settings.slots
    if not settings.func:
        return CommandCalls(_template(settings), slots=slots, live=live)
    fn = find_function(settings.command)
    if settings.url:
        return _job_calls(settings, fn)
    if settings.timeout and settings.where == "threads":
        raise UsageError("--timeout kills, which a thread cannot be: use --where processes")
    # The loop of the map runs failed jobs again; a task's own attempts would multiply that.
    retries = None if settings.retries is None else 0
    fn = with_policy(fn, timeout=settings.timeout, retries=retries)
    return FunctionCalls(fn, open_pool(f"{settings.where}:{slots}"), name=settings.command)


def _job_calls(settings: MapSettings, fn: Any) -> Calls:
    from lightwork.parallel.job_calls import JobCalls  # noqa: PLC0415 - SQLAlchemy: only with --url

    retries = None if settings.retries is None else (settings.retries or _FOR_EVER) - 1
    fn = with_policy(fn, timeout=settings.timeout, retries=retries)
    again = {State.CANCELLED} if settings.resumes else set()
    if settings.resume_failed:
        again.add(State.FAILED)
    slots = settings.slots
    calls = JobCalls(fn, url=settings.url, slots=slots, key=settings.key, again=frozenset(again))
    if not slots and not settings.quiet and not calls.has_workers:
        module = settings.command.partition(":")[0]
        note(
            "lightwork: no worker is alive, the jobs wait for one: "
            f"lightwork worker {settings.url} -m {module}"
        )
    return calls


def _tell_all(
    settings: MapSettings, ends: Iterator[End], printer: Printer, log: Joblog | None
) -> End | None:
    """Show each end, keep it where that was asked for; return the last one that failed."""
    failure: End | None = None
    for end in ends:
        if settings.results:
            keep_outputs(settings.results, end)
        printer.show(end)
        # After it was shown: what the joblog has is not run again, so it must not be lost.
        if log is not None:
            log.add(end)
        failure = end if end.is_failed else failure
    return failure


def _sum_up(settings: MapSettings, loop: JobLoop, what: str) -> None:
    tally = loop.tally
    if settings.quiet or not (what or tally.failed):
        return
    cut = f", {loop.cut_short} unfinished" if loop.cut_short else ""
    again = "; --resume goes on from here" if what and settings.joblog else ""
    note(f"lightwork: {what}{tally.succeeded} succeeded, {tally.failed} failed{cut}{again}")
