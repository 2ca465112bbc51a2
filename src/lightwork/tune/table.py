"""Table: figures and advice, for people, for pipes and as JSON."""

from dataclasses import asdict
from typing import Any, Final

import click

from lightwork.terminal.amounts import show_count, show_ratio, show_share, show_size, show_time
from lightwork.terminal.output import printable
from lightwork.terminal.table import Cell, Column, print_table
from lightwork.tune.advise import Advice, cpu_share
from lightwork.tune.figures import FirstCalls, Measurements, Row

_NUMBERS: Final = (
    "chunks", "an item", "speed-up", "lowest", "highest", "CPUs", "start", "a child",
)  # fmt: skip
_COLUMNS: Final = (
    Column(title="run by", is_whole=True),
    *(Column(title=title, is_whole=True, is_number=True) for title in _NUMBERS),
)


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
        f"{printable(found.function)}: {show_count(found.items, 'item')}, "
        f"{show_count(found.cpus, 'CPU')}, measured for {show_time(found.seconds)}"
    )
    if found.first_calls is not None:
        click.echo(f"inline: {', '.join(_inline_facts(found, found.first_calls))}")
    click.echo()
    print_table(_COLUMNS, [_cells(row) for row in found.rows])
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
    facts = [f"{show_time(found.inline_seconds)} an item"]
    facts.append(f"CPU at work {show_share(min(cpu_share(found), 1.0))} of the time")
    if first.gil is not None:
        facts.append(f"GIL held {show_share(first.gil)}")
    pickling = found.pickling
    if pickling is not None and not pickling.problem:
        facts.append(
            f"argument {show_size(pickling.argument_bytes)}, result {show_size(pickling.result_bytes)}, "
            f"pickled and loaded in {show_time(pickling.seconds)}"
        )
    if found.cold_start:
        facts.append(f"first pool of processes up in {show_time(found.cold_start)}")
    return facts


def _say_total(found: Measurements, advice: Advice) -> str:
    total = f"{show_count(found.items, 'item')} in about {show_time(advice.seconds)}"
    if advice.setup.kind == "inline":
        return total
    alone = show_time(found.inline_seconds * found.items)
    return f"{total}, start included, instead of {alone}"


def _say_break_even(advice: Advice) -> str:
    if advice.pays.kind == "inline":
        return "no pool pays here, however many the items"
    return (
        f"{advice.pays.label} pays from {show_count(advice.break_even, 'item')} on; "
        "with fewer, a plain loop does as well"
    )


def _cells(row: Row) -> list[Cell]:
    is_pool = row.setup.kind != "inline"
    texts = (
        row.setup.where,
        str(row.setup.chunksize) if is_pool else "-",
        show_time(row.seconds_per_item),
        show_ratio(row.speedup),
        show_ratio(row.lowest),
        show_ratio(row.highest),
        f"{row.busy:.1f}",
        show_time(row.start) if is_pool else "-",
        show_size(row.memory) if row.memory else "-",
    )
    return [Cell(text) for text in texts]
