"""Plot: the figures as SVG, written by hand: no library, and it opens anywhere.

Left, the speed-up over the number of workers, with the lowest and highest run as a
bar; right, if they were measured, the chunk sizes. Colours follow the reader's light
or dark setting; each line is named at its end and has its own mark, so colour is
never the only difference.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from lightwork.terminal.amounts import show_count, show_ratio, show_time
from lightwork.tune.advise import Advice
from lightwork.tune.figures import Kind, Measurements, Row

_HEIGHT: Final = 420
_TOP: Final = 92
_BOTTOM: Final = 352
_STYLE: Final = """\
svg { font: 13px system-ui, "DejaVu Sans", sans-serif; color: #1f2328 }
.paper { fill: #ffffff } .grid { stroke: #d1d9e0 } .soft { color: #59636e }
.threads { color: #0969da } .processes { color: #bc4c00 }
@media (prefers-color-scheme: dark) { svg { color: #f0f6fc }
.paper { fill: #0d1117 } .grid { stroke: #3d444d } .soft { color: #9198a1 }
.threads { color: #58a6ff } .processes { color: #f0883e } }
text, .mark { fill: currentColor } .title { font-size: 17px; font-weight: 600 }
.name { font-weight: 600 } .line { stroke: currentColor; stroke-width: 2; fill: none }
.ideal { stroke: currentColor; stroke-dasharray: 5 4; fill: none }
"""


@dataclass(frozen=True, slots=True)
class _Panel:
    """One set of axes: a column for each of the numbers or words, heights from 0 to `top`."""

    left: float
    right: float
    columns: Sequence[object]
    top: float

    def x(self, column: object) -> float:
        """Return the middle of a column."""
        step = (self.right - self.left) / len(self.columns)
        return self.left + step * (self.columns.index(column) + 0.5)

    def y(self, value: float) -> float:
        """Return the height of a value."""
        return _BOTTOM - (_BOTTOM - _TOP) * min(value / self.top, 1.0)


def draw(found: Measurements, advice: Advice) -> str:
    """Return the plot as an SVG document."""
    chunk_rows = _chunk_rows(found)
    width = 900 if chunk_rows else 620
    title = f"{found.function}: what more workers give"
    subtitle = (
        f"{show_time(found.inline_seconds)} an item inline, {show_count(found.cpus, 'CPU')}. "
        f"Recommended: {advice.setup.label}, {show_ratio(advice.speedup[0])}"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" width="{width}" height="{_HEIGHT}" role="img">',
        f"<title>{_text(title)}</title>",
        f"<desc>{_text(' '.join(finding.text for finding in advice.findings))}</desc>",
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{_HEIGHT}"/>',
        f'<text class="title" x="24" y="32">{_text(title[:80])}</text>',
        f'<text class="soft" x="24" y="54">{_text(subtitle[: width // 7])}</text>',
        *_scaling(found),
        *(_chunks(chunk_rows) if chunk_rows else ()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _scaling(found: Measurements) -> Iterator[str]:
    kinds: tuple[Kind, ...] = ("threads", "processes")
    lines = [(kind, rows) for kind in kinds if (rows := found.rows_of(kind))]
    workers = sorted({row.setup.workers for _, rows in lines for row in rows}) or [1]
    panel = _Panel(64, 540, workers, _top([row for _, rows in lines for row in rows]))
    yield from _axes(panel, "workers")
    ideal = [number for number in workers if number <= min(found.cpus, panel.top)]
    if len(ideal) > 1:
        points = [(panel.x(number), panel.y(number)) for number in ideal]
        yield _polyline("soft ideal", points)
        x, y = points[-1]
        yield f'<text class="soft" x="{x - 8:.1f}" y="{y - 7:.1f}" text-anchor="end">ideal</text>'
    # Names that would touch are moved apart, and lines a little: none hides the other's spread.
    lines.sort(key=lambda line: -line[1][-1].speedup)
    name_y = float("-inf")
    for kind, rows in lines:
        shift = -4 if kind == "threads" else 4
        yield from _curve(panel, kind, [(row.setup.workers, row) for row in rows], shift)
        name_y = max(panel.y(rows[-1].speedup) + 4, name_y + 17)
        x = panel.x(rows[-1].setup.workers) + 16
        yield f'<text class="{kind} name" x="{x:.1f}" y="{name_y:.1f}">{kind}</text>'


def _chunk_rows(found: Measurements) -> list[Row]:
    fixed = [row for row in found.rows if row.setup.chunksize != "auto"]
    workers = {row.setup.workers for row in fixed}
    return [*fixed, *(row for row in found.rows_of("processes") if row.setup.workers in workers)]


def _chunks(rows: Sequence[Row]) -> Iterator[str]:
    panel = _Panel(650, 876, [row.setup.chunksize for row in rows], _top(rows))
    yield from _axes(panel, f"chunk size, {rows[0].setup.where}")
    yield from _curve(panel, "processes", [(row.setup.chunksize, row) for row in rows], 0)


def _curve(
    panel: _Panel, kind: Kind, rows: Sequence[tuple[object, Row]], shift: int
) -> Iterator[str]:
    """Draw the line of one kind through its columns, with a mark and the spread of each row."""
    points = [(panel.x(column) + shift, panel.y(row.speedup)) for column, row in rows]
    if len(points) > 1:
        yield _polyline(f"{kind} line", points)
    for (_, row), (x, y) in zip(rows, points, strict=True):
        low, high = panel.y(row.lowest), panel.y(row.highest)
        spread = f"M{x:.1f} {low:.1f}V{high:.1f}M{x - 4:.1f} {low:.1f}h8M{x - 4:.1f} {high:.1f}h8"
        shape = f'<rect class="mark" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"'
        says = (
            f"{row.setup.label}: {show_ratio(row.speedup)} ({show_ratio(row.lowest)} to "
            f"{show_ratio(row.highest)}), {show_time(row.seconds_per_item)} an item"
        )
        yield f'<path class="{kind} line" d="{spread}"/>'
        yield (
            f'<g class="{kind}">{shape} rx="{4 if kind == "threads" else 0}"/>'
            f"<title>{_text(says)}</title></g>"
        )


def _axes(panel: _Panel, across: str) -> Iterator[str]:
    for part in range(5):
        value = panel.top * part / 4
        y = panel.y(value)
        yield f'<path class="grid" d="M{panel.left} {y:.1f}H{panel.right}"/>'
        yield f'<text x="{panel.left - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}x</text>'
    for column in panel.columns:
        x = panel.x(column)
        yield f'<text x="{x:.1f}" y="{_BOTTOM + 20}" text-anchor="middle">{column}</text>'
    middle = (panel.left + panel.right) / 2
    yield f'<text class="soft" x="{middle}" y="{_BOTTOM + 46}" text-anchor="middle">{across}</text>'
    yield f'<text class="soft" x="{panel.left - 40}" y="{_TOP - 14}">speed-up over inline</text>'


def _top(rows: Sequence[Row]) -> float:
    """Return the next round number above the highest run, with room; it has four round parts."""
    wanted = max([1.0, *(row.highest for row in rows)]) * 1.08
    size = 10.0 ** math.floor(math.log10(wanted))
    return next(size * step for step in (1.2, 2, 2.4, 4, 6, 8, 10, 12) if size * step >= wanted)


def _polyline(kind: str, points: Sequence[tuple[float, float]]) -> str:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{kind}" points="{places}"/>'


def _text(text: str) -> str:
    # XML has no place for control characters, not even escaped.
    return escape("".join(char if char.isprintable() else "?" for char in text))
