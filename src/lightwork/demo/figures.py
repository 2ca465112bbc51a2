"""Figures: all that is said at the end, as data and as tables for people."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from dataclasses import astuple, dataclass
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from lightwork.demo.ledger import Ledger
from lightwork.demo.log_lines import Chronicle, News
from lightwork.demo.proof import Proof
from lightwork.demo.tasks import Report
from lightwork.errors import JobFailed
from lightwork.pool.call.future import Future
from lightwork.terminal.amounts import show_count
from lightwork.terminal.output import first_line
from lightwork.terminal.program import program_words

_LISTED: Final = 10
_SLOWEST: Final = 5


@dataclass(frozen=True, slots=True)
class Failure:
    """A file whose job failed, and the error that the store recorded."""

    file: str
    error_type: str
    error_text: str


@dataclass(frozen=True, slots=True)
class Module:
    """A file that was measured."""

    file: str
    lines: int
    functions: int
    classes: int
    branches: int


@dataclass(frozen=True, slots=True)
class Function:
    """A function that was parsed on its own."""

    file: str
    function: str
    line: int
    milliseconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything; the fields are those of the JSON.

    Attributes:
        store: The URL as it may be shown.
        before: Outcomes that the store had when this run began.
        attempts: Attempts that have ended, of all runs together; so are those below.
        lost: Of these, how many ended because a child or a worker died.
        rescued: Of these, how many were ended by a rescue: their worker's lease ran out.
        seconds: How long this run took; 0: nothing was left to run.
        jobs_per_second: Jobs that this run brought to their outcome, by its seconds.
    """

    store: str
    folder: str
    before: int
    succeeded: int
    failed: int
    attempts: int
    lost: int
    rescued: int
    seconds: float
    jobs_per_second: float
    failures: list[Failure]
    largest: list[Module]
    most_branching: list[Module]
    slowest: list[Function]
    events: list[News]
    proof: Proof


def find_figures(
    ledger: Ledger,
    chronicle: Chronicle,
    futures: Mapping[str, Future[Report]],
    *,
    store: str,
    folder: str,
    seconds: float,
) -> Figures:
    """Return the figures of a run whose jobs, with futures by their files, have their outcomes."""
    now, proof, before = ledger.snapshot(), ledger.proof(), chronicle.first.done
    failures, modules, functions = _read(futures)
    return Figures(
        store=store,
        folder=folder,
        before=before,
        succeeded=now.done - now.failed,
        failed=now.failed,
        attempts=ledger.count_attempts(),
        lost=len(now.lost),
        rescued=sum(lost.is_rescue for lost in now.lost),
        seconds=round(seconds, 3),
        jobs_per_second=round((proof.jobs - before) / seconds, 1) if seconds else 0.0,
        failures=failures,
        largest=sorted(modules, key=lambda one: -one.lines)[:_LISTED],
        most_branching=sorted(modules, key=lambda one: -one.branches)[:_LISTED],
        slowest=sorted(functions, key=lambda one: -one.milliseconds)[:_SLOWEST],
        events=chronicle.news,
        proof=proof,
    )


def _read(
    futures: Mapping[str, Future[Report]],
) -> tuple[list[Failure], list[Module], list[Function]]:
    failures, modules, functions = [], [], []
    for file, future in futures.items():
        try:
            found = future.result()
        except JobFailed as error:
            failures.append(Failure(file, error.error_type, error.error_text))
        except CancelledError:
            # By somebody else: no outcome, as the proof says.
            continue
        else:
            modules.append(
                Module(file, found.lines, found.functions, found.classes, found.branches)
            )
            functions += [Function(file, *astuple(slow)) for slow in found.slowest]
    return failures, modules, functions


def print_figures(console: Console, figures: Figures) -> None:
    """Print all tables, the proof, and what to look at next."""
    for part in _parts(figures):
        console.print()
        _print(console, part)
    console.print()
    print_proof(console, figures.proof)
    console.print(Text("Look for yourself:", style="dim"))
    # A line of its own that can be pasted, whoever started this: make, a path, a module.
    command = f"{program_words()} jobs {shlex.quote(figures.store)}"
    console.print(Text(command), soft_wrap=True)


def print_proof(console: Console, proof: Proof) -> None:
    """Print the proof as one line."""
    style = "bold green" if proof.holds else "bold red"
    sign = "✓ " if console.is_terminal and proof.holds else ""
    console.print(Text(sign + proof.text, style=style), soft_wrap=True)


def _print(console: Console, part: RenderableType) -> None:
    if console.is_terminal:
        console.print(part)
        return
    with console.capture() as capture:
        console.print(part)
    # Blanks at the ends of lines fill a terminal's last column; a file has none.
    for line in capture.get().splitlines():
        console.print(Text(line.rstrip()), soft_wrap=True)


def _parts(figures: Figures) -> Iterator[RenderableType]:
    if figures.failures:
        yield _failures(figures)
    if figures.largest:
        rows = ((one.file, one.lines, one.functions, one.classes) for one in figures.largest)
        yield _table("Largest modules", ("lines", "functions", "classes"), rows)
        branching = (
            (
                one.file,
                one.branches,
                one.functions,
                round(100 * one.branches / max(one.lines, 1), 1),
            )
            for one in figures.most_branching
        )
        titles = ("branches", "functions", "per 100 lines")
        yield _table("Most branching modules", titles, branching)
        slowest = (
            (f"{one.file}  {one.function}", str(one.line), round(one.milliseconds, 1))
            for one in figures.slowest
        )
        yield _table("Functions slowest to parse", ("line", "ms"), slowest)
    yield _totals(figures)


def _failures(figures: Figures) -> RenderableType:
    with_errors = "with its error" if len(figures.failures) == 1 else "with their errors"
    jobs = show_count(len(figures.failures), "failed job")
    lines = [Text(f"Could not be parsed: {jobs} {with_errors}", style="bold")]
    width = max(len(failure.file) for failure in figures.failures)
    for failure in figures.failures:
        error = f"{failure.error_type}: {first_line(failure.error_text)}"
        shown = error.replace(f"{figures.folder}/", "")
        who = f"{failure.file:{width}}  "
        lines.append(Text.assemble(who, (shown, "red"), overflow="ellipsis", no_wrap=True))
    return Group(*lines)


def _table(title: str, titles: Iterable[str], rows: Iterable[tuple[str | float, ...]]) -> Table:
    table = Table(title=title, title_style="bold", title_justify="left", box=None)
    table.header_style, table.padding = "dim", (0, 2, 0, 0)
    table.add_column("", overflow="fold")
    for column in titles:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(one if isinstance(one, str) else f"{one:,}") for one in row))
    return table


def _totals(figures: Figures) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", style="bold", no_wrap=True)
    jobs = f"jobs: {figures.succeeded:,} succeeded, {figures.failed:,} failed"
    lost = f"{figures.lost:,} lost to a kill, {figures.rescued:,} of these rescued"
    grid.add_row(f"{figures.proof.files:,}", "files")
    grid.add_row(f"{figures.proof.jobs:,}", jobs)
    grid.add_row(f"{figures.attempts:,}", f"attempts: {lost} from a dead worker")
    if figures.seconds:
        grid.add_row(f"{figures.seconds:.1f}", "seconds")
        grid.add_row(f"{figures.jobs_per_second:,.0f}", "jobs/s")
    return grid
