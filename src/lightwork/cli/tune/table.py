"""Table: figures and advice, for people, for pipes and as JSON."""

import sys
from dataclasses import asdict
from typing import Any, Final

import click

from lightwork.cli.output import print_json, printable
from lightwork.cli.tune.advise import Advice, cpu_share
from lightwork.cli.tune.figures import FirstCalls, Measurements, Row
from lightwork.cli.tune.words import bytes_, count, percent, seconds_, times

_HEADINGS: Final = (
    "run by", "chunks", "an item", "speed-up", "lowest", "highest", "CPUs", "start", "a child",
)  # fmt: skip


def print_document(found: Measurements, advice: Advice, plot: str) -> None:
    """Print everything as one JSON object."""
    print_json(document(found, advice, plot))


def document(found: Measurements, advice: Advice, plot: str) -> dict[str, Any]:
    """Return everything as plain data; durations in seconds, sizes in bytes."""
    return {
        "function": found.function,
        "items": found.items,
        "cpus": found.cpus,
        "seconds": found.seconds,
        "complete": found.is_complete,
        "inline_seconds_per_item": found.inline_seconds,
        "first_calls": asdict(found.first_calls) if found.first_calls else None,
        "pickling": asdict(found.pickling) if found.pickling else None,
        "cold_start_seconds": found.cold_start,
        "rows": [_row_document(row) for row in found.rows],
        "left_out": [
            {"where": left.setup.where, "chunksize": left.setup.chunksize, "reason": left.reason}
            for left in found.left_out
        ],
        "findings": [asdict(finding) for finding in advice.findings],
        "recommended": {
            "where": advice.setup.where,
            "chunksize": advice.setup.chunksize,
            "code": advice.code,
            "speedup": dict(zip(("median", "lowest", "highest"), advice.speedup, strict=True)),
            "seconds": advice.seconds,
            "break_even_items": advice.break_even,
        },
        "notes": advice.notes,
        "plot": plot,
    }


def _row_document(row: Row) -> dict[str, Any]:
    return {
        "where": row.setup.where,
        "chunksize": row.setup.chunksize,
        "seconds_per_item": row.seconds_per_item,
        "speedup": {"median": row.speedup, "lowest": row.lowest, "highest": row.highest},
        "busy_cpus": row.busy,
        "waited_for_cpu": row.waited,
        "start_seconds": row.start,
        "child_bytes": row.memory,
        "runs": [{"items": run.items, "seconds": run.seconds} for run in row.runs],
    }


def print_tables(found: Measurements, advice: Advice, plot: str) -> None:
    """Print what a person wants to know; tabs instead of a frame into a pipe."""
    click.echo(
        f"{printable(found.function)}: {count(found.items, 'item')}, "
        f"{count(found.cpus, 'CPU')}, measured for {seconds_(found.seconds)}"
    )
    if found.first_calls is not None:
        click.echo(f"inline: {', '.join(_inline_facts(found, found.first_calls))}")
    click.echo()
    _print_rows(found)
    click.echo("\nWhat holds it back")
    for finding in advice.findings:
        click.echo(f"  - {printable(finding.text)}")
    click.echo("\nRecommended")
    click.echo(f"  {advice.code}")
    click.echo(f"  {_say_total(found, advice)}")
    if found.rows:
        click.echo(f"  {_say_break_even(advice)}")
    for note in advice.notes:
        click.echo(f"  note: {printable(note)}")
    if plot:
        click.echo(f"\nplot: {plot}")


def _inline_facts(found: Measurements, first: FirstCalls) -> list[str]:
    facts = [f"{seconds_(found.inline_seconds)} an item"]
    facts.append(f"CPU at work {percent(min(cpu_share(found), 1.0))} of the time")
    if first.gil is not None:
        facts.append(f"GIL held {percent(first.gil)}")
    pickling = found.pickling
    if pickling is not None and not pickling.problem:
        facts.append(
            f"argument {bytes_(pickling.argument_bytes)}, result {bytes_(pickling.result_bytes)}, "
            f"pickled and loaded in {seconds_(pickling.seconds)}"
        )
    if found.cold_start:
        facts.append(f"first pool of processes up in {seconds_(found.cold_start)}")
    return facts


def _say_total(found: Measurements, advice: Advice) -> str:
    if advice.setup.kind == "inline":
        return f"{count(found.items, 'item')} in about {seconds_(advice.seconds)}"
    return (
        f"{count(found.items, 'item')} in about {seconds_(advice.seconds)}, start included, "
        f"instead of {seconds_(found.inline_seconds * found.items)}"
    )


def _say_break_even(advice: Advice) -> str:
    if advice.pays.kind == "inline":
        return "no pool pays here, however many the items"
    return (
        f"{advice.pays.label} pays from {count(advice.break_even, 'item')} on; "
        "with fewer, a plain loop does as well"
    )


def _print_rows(found: Measurements) -> None:
    cells = [_cells(row) for row in found.rows]
    if not sys.stdout.isatty():
        for line in (_HEADINGS, *cells):
            click.echo("\t".join(line))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(_HEADINGS):
        table.add_column(heading, justify="left" if number == 0 else "right", no_wrap=True)
    for line in cells:
        table.add_row(*line)
    Console().print(table)


def _cells(row: Row) -> tuple[str, ...]:
    is_pool = row.setup.kind != "inline"
    return (
        row.setup.where,
        str(row.setup.chunksize) if is_pool else "-",
        seconds_(row.seconds_per_item),
        times(row.speedup),
        times(row.lowest),
        times(row.highest),
        f"{row.busy:.1f}",
        seconds_(row.start) if is_pool else "-",
        bytes_(row.memory) if row.memory else "-",
    )
