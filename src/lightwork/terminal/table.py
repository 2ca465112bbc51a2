"""Table: rows under titles, cut to the terminal, or whole and with tabs in a pipe.

Who is cut, and how far, is decided by `fit_widths`, which is pure: what is whole
comes first, the others share what is left, and none takes more than it needs. So a
long note takes the rest of the line and never anybody else's place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import click

from lightwork.terminal.output import make_console

_GAP: Final = 2
# Below this a cut text says nothing; a line that is still too long is cut by the terminal.
_LEAST: Final = 4
_CUT: Final = "…"


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of a table."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    Attributes:
        is_whole: Never cut: an id is copied from here.
        is_number: Stands at the right.
        keeps_end: Cut at its start: the end of a dotted name says most.
        from_width: Left out on terminals that are narrower than so many characters.
        most: No wider than this, however wide the terminal.
    """

    title: str
    is_whole: bool = False
    is_number: bool = False
    keeps_end: bool = False
    from_width: int = 0
    most: int = 10_000


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """Print rows under titles."""
    if make_console().is_terminal:
        _print_cut(columns, rows)
        return
    click.echo("\t".join(column.title for column in columns))
    for row in rows:
        click.echo("\t".join(cell.text.replace("\t", " ") for cell in row))


def fit_widths(columns: Sequence[Column], needed: Sequence[int], width: int) -> list[int]:
    """Return how many characters each column gets.

    Args:
        columns: Those that are shown.
        needed: What the widest text of each takes, its title included.
        width: Characters of the terminal.
    """
    widths = [min(need, column.most) for column, need in zip(columns, needed, strict=True)]
    cut = [index for index, column in enumerate(columns) if not column.is_whole]
    left = width - _GAP * (len(columns) - 1) - sum(widths)
    left += sum(widths[index] for index in cut)
    # The most modest first: what it does not need is shared among the rest.
    for position, index in enumerate(sorted(cut, key=lambda index: widths[index])):
        share = max(left // (len(cut) - position), _LEAST)
        widths[index] = min(widths[index], share)
        left -= widths[index]
    return widths


def _print_cut(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    from rich.cells import cell_len
    from rich.text import Text

    console = make_console()
    shown = [n for n, column in enumerate(columns) if console.width >= column.from_width]
    chosen = [columns[n] for n in shown]
    titles = [Cell(column.title, "bold") for column in chosen]
    lines = [titles, *([row[n] for n in shown] for row in rows)]
    needed = [max(cell_len(line[n].text) for line in lines) for n in range(len(chosen))]
    widths = fit_widths(chosen, needed, console.width)
    for line in lines:
        fields = (
            Text(_fitted(cell.text, column, size), style=cell.style)
            for cell, column, size in zip(line, chosen, widths, strict=True)
        )
        text = Text(" " * _GAP).join(fields)
        text.rstrip()
        console.print(text, no_wrap=True, overflow="ellipsis", crop=True)


def _fitted(text: str, column: Column, size: int) -> str:
    from rich.cells import cell_len, set_cell_size

    length = cell_len(text)
    if length > size:
        kept = size - len(_CUT)
        if column.keeps_end:
            tail = set_cell_size(text[::-1], kept)[::-1]
            return _CUT + tail
        return set_cell_size(text, kept) + _CUT
    blanks = " " * (size - length)
    return blanks + text if column.is_number else text + blanks
