"""Tables: the figures at the end, for people; without boxes and colours in a pipe."""

import shlex
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from lightwork.cli.demo.figures import Figures, Totals
from lightwork.cli.output import first_line
from lightwork.cli.program import program_words


def print_figures(console: Console, figures: Figures) -> None:
    """Print all tables and the proof."""
    for part in _parts(figures):
        console.print()
        _print(console, part)
    console.print()
    print_proof(console, figures)
    print_next(console, figures)


def _print(console: Console, part: RenderableType) -> None:
    if console.is_terminal:
        console.print(part)
        return
    with console.capture() as capture:
        console.print(part)
    # Blanks at the ends of lines fill a terminal's last column; a file has none.
    for line in capture.get().splitlines():
        console.print(Text(line.rstrip()), soft_wrap=True)


def print_proof(console: Console, figures: Figures) -> None:
    """Print the proof as one line."""
    proof = figures.proof
    style = "bold green" if proof.holds else "bold red"
    sign = "✓ " if console.is_terminal and proof.holds else ""
    console.print(Text(sign + proof.text, style=style), soft_wrap=True)


def print_next(console: Console, figures: Figures) -> None:
    """Print what to look at next."""
    # A line of its own that can be pasted, whoever started this: make, a path, a module.
    command = f"{program_words()} jobs {shlex.quote(figures.store)}"
    console.print(Text("Look for yourself:", style="dim"))
    console.print(Text(command), soft_wrap=True)


def _parts(figures: Figures) -> Iterator[RenderableType]:
    if figures.failures:
        yield _failures(figures)
    if figures.modules:
        yield _largest(figures)
        yield _most_branching(figures)
        yield _slowest(figures)
    yield _totals(figures)


def _table(title: str, name: str, *numbers: str) -> Table:
    table = Table(
        title=title,
        title_style="bold",
        title_justify="left",
        header_style="dim",
        box=None,
        padding=(0, 2, 0, 0),
    )
    table.add_column(name, overflow="fold")
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table


def _failures(figures: Figures) -> RenderableType:
    count = len(figures.failures)
    jobs = (
        "1 failed job, with its error" if count == 1 else f"{count:,} failed jobs with their errors"
    )
    width = max(len(failure.file) for failure in figures.failures)
    lines = [Text(f"Could not be parsed: {jobs}", style="bold")]
    for failure in figures.failures:
        error = f"{failure.error_type}: {first_line(failure.error_text)}"
        shown = error.replace(f"{figures.folder}/", "")
        line = Text.assemble(f"{failure.file:{width}}  ", (shown, "red"), overflow="ellipsis")
        line.no_wrap = True
        lines.append(line)
    return Group(*lines)


def _largest(figures: Figures) -> RenderableType:
    table = _table("Largest modules", "", "lines", "functions", "classes")
    for module in figures.largest:
        report = module.report
        counts = (report.lines, report.functions, report.classes)
        table.add_row(Text(module.file), *(f"{count:,}" for count in counts))
    return table


def _most_branching(figures: Figures) -> RenderableType:
    table = _table("Most branching modules", "", "branches", "functions", "per 100 lines")
    for module in figures.most_branching:
        counts = (module.report.branches, module.report.functions)
        shown = (f"{count:,}" for count in counts)
        table.add_row(Text(module.file), *shown, f"{module.density:.1f}")
    return table


def _slowest(figures: Figures) -> RenderableType:
    table = _table("Functions slowest to parse", "", "line", "ms")
    for file, name, line, taken in figures.slowest:
        table.add_row(Text(f"{file}  {name}"), str(line), f"{taken:.1f}")
    return table


def _totals(figures: Figures) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", style="bold", no_wrap=True)
    grid.add_column()
    for number, words in _total_rows(figures.totals):
        grid.add_row(number, words)
    return grid


def _total_rows(totals: Totals) -> Iterator[tuple[str, str]]:
    yield f"{totals.files:,}", "files"
    yield f"{totals.jobs:,}", f"jobs: {totals.succeeded:,} succeeded, {totals.failed:,} failed"
    lost = f"{totals.lost:,} lost to a kill, {totals.rescued:,} of these rescued from a dead worker"
    yield f"{totals.attempts:,}", f"attempts: {lost}"
    if totals.seconds:
        yield f"{totals.seconds:.1f}", "seconds"
        yield f"{totals.jobs_per_second:,.0f}", "jobs/s"
