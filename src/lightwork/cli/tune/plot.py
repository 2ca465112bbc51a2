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

from lightwork.cli.tune.advise import Advice
from lightwork.cli.tune.figures import Measurements, Row
from lightwork.cli.tune.words import count, seconds_, times

_HEIGHT: Final = 420
_TOP: Final = 92
_BOTTOM: Final = 352
_STYLE: Final = """\
svg { font: 13px system-ui, "DejaVu Sans", sans-serif }
.paper { fill: #ffffff } text { fill: #1f2328 } .soft { fill: #59636e }
.title { font-size: 17px; font-weight: 600 }
.grid { stroke: #d1d9e0; stroke-width: 1 } .axis { stroke: #59636e; stroke-width: 1 }
.ideal { stroke: #59636e; stroke-dasharray: 5 4; fill: none }
.threads { stroke: #0969da; fill: #0969da } .processes { stroke: #bc4c00; fill: #bc4c00 }
.line { fill: none; stroke-width: 2.5 } .name { stroke: none; font-weight: 600 }
.spread { stroke-width: 1.5; fill: none } .bar { stroke: none; fill-opacity: .75 }
@media (prefers-color-scheme: dark) {
.paper { fill: #0d1117 } text { fill: #f0f6fc } .soft { fill: #9198a1 }
.grid { stroke: #3d444d } .axis, .ideal { stroke: #9198a1 }
.threads { stroke: #58a6ff; fill: #58a6ff } .processes { stroke: #f0883e; fill: #f0883e }
.line, .spread, .ideal { fill: none } .name, .bar { stroke: none }
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """Where one set of axes is, and its scales: x by steps, y from 0 to `top`."""

    left: float
    right: float
    columns: Sequence[str]
    top: float

    def x(self, column: str) -> float:
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
    parts = [
        _opening(width),
        f"<title>{_text(title)}</title>",
        f"<desc>{_text(' '.join(finding.text for finding in advice.findings))}</desc>",
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{_HEIGHT}"/>',
        f'<text class="title" x="24" y="32">{_text(_fit(title, 80))}</text>',
        f'<text class="soft" x="24" y="54">{_text(_fit(_subtitle(found, advice), width // 7))}</text>',
        *_scaling(found),
        *(_chunks(chunk_rows) if chunk_rows else ()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _opening(width: int) -> str:
    size = f'viewBox="0 0 {width} {_HEIGHT}" width="{width}" height="{_HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'


def _subtitle(found: Measurements, advice: Advice) -> str:
    chunks = advice.setup.label
    facts = f"{seconds_(found.inline_seconds)} an item inline, {count(found.cpus, 'CPU')}"
    return f"{facts}. Recommended: {chunks}, {times(advice.speedup[0])}"


def _scaling(found: Measurements) -> Iterator[str]:
    lines = [("threads", found.rows_of("threads")), ("processes", found.rows_of("processes"))]
    rows = [row for _, of_kind in lines for row in of_kind]
    workers = sorted({row.setup.workers for row in rows}) or [1]
    top = _nice_top(max([1.0, *(row.highest for row in rows)]))
    panel = _Panel(left=64, right=540, columns=[str(number) for number in workers], top=top)
    yield from _axes(panel, "workers", "speed-up over inline")
    yield from _ideal(panel, [number for number in workers if number <= found.cpus])
    for kind, of_kind in lines:
        # Side by side, so that one does not hide the other's spread.
        yield from _curve(panel, kind, of_kind, shift=-4 if kind == "threads" else 4)
    yield from _names(panel, [(kind, of_kind[-1]) for kind, of_kind in lines if of_kind])


def _ideal(panel: _Panel, workers: Sequence[int]) -> Iterator[str]:
    reached = [number for number in workers if number <= panel.top]
    points = " ".join(f"{panel.x(str(number)):.1f},{panel.y(number):.1f}" for number in reached)
    if len(reached) > 1:
        last = reached[-1]
        yield f'<polyline class="ideal" points="{points}"/>'
        yield (
            f'<text class="soft" x="{panel.x(str(last)) - 8:.1f}" y="{panel.y(last) - 7:.1f}" '
            f'text-anchor="end">ideal</text>'
        )


def _curve(panel: _Panel, kind: str, rows: Sequence[Row], *, shift: int) -> Iterator[str]:
    places = [(panel.x(str(row.setup.workers)) + shift, panel.y(row.speedup)) for row in rows]
    if len(places) > 1:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        yield f'<polyline class="{kind} line" points="{points}"/>'
    for row, (x, y) in zip(rows, places, strict=True):
        yield _spread(kind, x, panel.y(row.lowest), panel.y(row.highest))
        yield f'<g class="{kind}">{_mark(kind, x, y)}<title>{_text(_say(row))}</title></g>'


def _mark(kind: str, x: float, y: float) -> str:
    if kind == "threads":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
    return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'


def _spread(kind: str, x: float, low: float, high: float) -> str:
    return (
        f'<path class="{kind} spread" d="M{x:.1f} {low:.1f}V{high:.1f}'
        f'M{x - 4:.1f} {low:.1f}h8M{x - 4:.1f} {high:.1f}h8"/>'
    )


def _names(panel: _Panel, ends: Sequence[tuple[str, Row]]) -> Iterator[str]:
    """Name each line at its end; names that would touch are moved apart."""
    placed: list[float] = []
    for kind, row in sorted(ends, key=lambda end: panel.y(end[1].speedup)):
        y = panel.y(row.speedup) + 4
        if placed and abs(placed[-1] - y) < 17:
            y = placed[-1] + 17
        placed.append(y)
        x = panel.x(str(row.setup.workers)) + 16
        yield f'<text class="{kind} name" x="{x:.1f}" y="{y:.1f}">{kind}</text>'


def _chunk_rows(found: Measurements) -> list[Row]:
    fixed = [row for row in found.rows if row.setup.chunksize != "auto"]
    if not fixed:
        return []
    auto = [row for row in found.rows_of("processes") if row.setup.workers == _workers(fixed)]
    return [*sorted(fixed, key=lambda row: int(row.setup.chunksize)), *auto]


def _workers(rows: Sequence[Row]) -> int:
    return rows[0].setup.workers


def _chunks(rows: Sequence[Row]) -> Iterator[str]:
    columns = [str(row.setup.chunksize) for row in rows]
    top = _nice_top(max(row.highest for row in rows))
    panel = _Panel(left=650, right=876, columns=columns, top=top)
    yield from _axes(panel, f"chunk size, {rows[0].setup.where}", "speed-up over inline")
    for row in rows:
        x, y = panel.x(str(row.setup.chunksize)), panel.y(row.speedup)
        yield (
            f'<g class="processes"><rect class="bar" x="{x - 15:.1f}" y="{y:.1f}" width="30" '
            f'height="{max(_BOTTOM - y, 0.5):.1f}"/><title>{_text(_say(row))}</title></g>'
        )
        yield _spread("processes", x, panel.y(row.lowest), panel.y(row.highest))


def _axes(panel: _Panel, across: str, up: str) -> Iterator[str]:
    for value in _ticks(panel.top):
        y = panel.y(value)
        yield (
            f'<line class="grid" x1="{panel.left}" y1="{y:.1f}" x2="{panel.right}" y2="{y:.1f}"/>'
        )
        yield f'<text x="{panel.left - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}x</text>'
    yield f'<line class="axis" x1="{panel.left}" y1="{_BOTTOM}" x2="{panel.right}" y2="{_BOTTOM}"/>'
    for column in panel.columns:
        x = panel.x(column)
        yield f'<text x="{x:.1f}" y="{_BOTTOM + 20}" text-anchor="middle">{_text(column)}</text>'
    middle = (panel.left + panel.right) / 2
    yield f'<text class="soft" x="{middle}" y="{_BOTTOM + 46}" text-anchor="middle">{across}</text>'
    yield f'<text class="soft" x="{panel.left - 40}" y="{_TOP - 14}">{up}</text>'


def _nice_top(value: float) -> float:
    """Return the next round number, with room above."""
    wanted = max(value * 1.08, 1e-4)
    size = 10.0 ** math.floor(math.log10(wanted))
    return next(size * step for step in (1, 1.5, 2, 2.5, 4, 5, 8, 10, 20) if size * step >= wanted)


def _ticks(top: float) -> list[float]:
    parts = 5 if round(top / 10.0 ** math.floor(math.log10(top)), 6) in {1.0, 2.5, 5.0} else 4
    parts = 3 if math.isclose(top / 10.0 ** math.floor(math.log10(top)), 1.5) else parts
    return [top * part / parts for part in range(parts + 1)]


def _say(row: Row) -> str:
    return (
        f"{row.setup.label}: {times(row.speedup)} ({times(row.lowest)} to {times(row.highest)}), "
        f"{seconds_(row.seconds_per_item)} an item"
    )


def _fit(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _text(text: str) -> str:
    # XML has no place for control characters, not even escaped.
    return escape("".join(char if char.isprintable() else "?" for char in text))
