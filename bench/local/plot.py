"""Plot: how all sides stand to multiprocessing.Pool, as SVG written by hand. Pure.

One row for each figure that Pool has too; along it, on one logarithmic scale, how many times
better each side is. Colours follow the reader's light or dark setting, and every side has its own
mark, so colour is never the only difference. Each mark says its figure when it is pointed at.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

from local.report import OURS, Line, Report
from local.table import number

ORIGIN: Final = "Pool"

_LEFT: Final = 262
_RIGHT: Final = 876
_WIDTH: Final = 900
_TOP: Final = 112
_STEP: Final = 28
_STYLE: Final = """\
svg { font: 13px system-ui, "DejaVu Sans", sans-serif }
.paper { fill: #ffffff } text { fill: #1f2328 } .soft { fill: #59636e }
.title { font-size: 17px; font-weight: 600 }
.grid { stroke: #d1d9e0 } .origin { stroke: #59636e; stroke-width: 1.5 }
.mark { stroke: #ffffff; stroke-width: .8 }
.s0 { fill: #cf222e } .s1 { fill: #59636e } .s2 { fill: #0969da } .s3 { fill: #1a7f37 }
.s4 { fill: #8250df } .s5 { fill: #9a6700 } .s6 { fill: #0b7285 } .s7 { fill: #bf3989 }
@media (prefers-color-scheme: dark) {
.paper { fill: #0d1117 } text { fill: #f0f6fc } .soft { fill: #9198a1 }
.grid { stroke: #3d444d } .origin { stroke: #9198a1 } .mark { stroke: #0d1117 }
.s0 { fill: #ff7b72 } .s1 { fill: #9198a1 } .s2 { fill: #58a6ff } .s3 { fill: #56d364 }
.s4 { fill: #bc8cff } .s5 { fill: #e3b341 } .s6 { fill: #56c8d8 } .s7 { fill: #f778ba }
}
"""
# Paths around 0,0 of about the same weight.
_MARKS: Final = (
    "M-6 0A6 6 0 1 1 6 0A6 6 0 1 1-6 0Z",
    "M-1.5-7H1.5V7H-1.5Z",
    "M-4.5-4.5H4.5V4.5H-4.5Z",
    "M0-6L5.5 4.5H-5.5Z",
    "M0 6L5.5-4.5H-5.5Z",
    "M0-6.5L5.5 0L0 6.5L-5.5 0Z",
    "M-1.7-5.5H1.7V-1.7H5.5V1.7H1.7V5.5H-1.7V1.7H-5.5V-1.7H-1.7Z",
    "M-5.5-2.5L-2.5-5.5L0-3L2.5-5.5L5.5-2.5L3 0L5.5 2.5L2.5 5.5L0 3L-2.5 5.5L-5.5 2.5L-3 0Z",
)


def draw(report: Report) -> str:
    """Return the plot as an SVG document."""
    lines = [line for line in report.lines if ORIGIN in line.cells and len(line.cells) > 1]
    height = _TOP + _STEP * len(lines) + 56
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    facts = ", ".join(f"{name} {report.settings[name]}" for name in ("python", "cpus", "children"))
    title = "Calls on child processes, beside multiprocessing.Pool"
    low, high = decades(lines)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(_describe(lines))}</desc>",
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>',
        f'<text class="title" x="24" y="32">{escape(title)}</text>',
        f'<text class="soft" x="24" y="54">{escape(f"Medians of one run; {facts}.")}</text>',
        *_legend([*report.sides]),
        *_scale(low, high, _TOP + _STEP * len(lines)),
        *(
            mark
            for place, line in enumerate(lines)
            for mark in _line(line, [*report.sides], _TOP + _STEP * (place + 0.5), (low, high))
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def decades(lines: Sequence[Line]) -> tuple[int, int]:
    """Return the powers of ten between which every ratio lies; 1 is always inside."""
    ratios = [ratio for line in lines for side in line.cells if (ratio := line.ratio(side, ORIGIN))]
    logs = [math.log10(ratio) for ratio in ratios] or [0.0]
    return min(math.floor(min(logs)), -1), max(math.ceil(max(logs)), 1)


def _x(ratio: float, scale: tuple[int, int]) -> float:
    low, high = scale
    return _LEFT + (_RIGHT - _LEFT) * (math.log10(ratio) - low) / (high - low)


def _scale(low: int, high: int, bottom: float) -> Iterator[str]:
    for power in range(low, high + 1):
        x = _x(10.0**power, (low, high))
        kind = "grid" if power else "origin"
        label = f"{10.0**power:g}x" if power else ORIGIN
        yield f'<line class="{kind}" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{label}</text>'
    middle = (_LEFT + _RIGHT) / 2
    yield (
        f'<text class="soft" x="{middle}" y="{bottom + 42}" text-anchor="middle">'
        f"times better than {ORIGIN}: further right is better</text>"
    )


def _legend(sides: Sequence[str]) -> Iterator[str]:
    x = 30.0
    for place, side in enumerate(sides):
        yield _mark(place, x, 84, "")
        yield f'<text x="{x + 12}" y="88">{escape(side)}</text>'
        x += 34 + 8.2 * len(side)


def _line(line: Line, sides: Sequence[str], y: float, scale: tuple[int, int]) -> Iterator[str]:
    yield f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{_RIGHT}" y2="{y}"/>'
    name = escape(line.figure.name)
    yield f'<text x="{_LEFT - 14}" y="{y + 4}" text-anchor="end">{name}</text>'
    # Ours last, so that nothing lies over it.
    for place, side in sorted(enumerate(sides), key=lambda one: one[1] == OURS):
        ratio = line.ratio(side, ORIGIN)
        if ratio is not None:
            median = number(line.cells[side].median)
            text = f"{side}: {median} {line.figure.unit}, {ratio:.2f} times {ORIGIN}"
            yield _mark(place, _x(ratio, scale), y, text)


def _mark(place: int, x: float, y: float, text: str) -> str:
    path = f'<path class="mark s{place % len(_MARKS)}" d="{_MARKS[place % len(_MARKS)]}"/>'
    title = f"<title>{escape(text)}</title>" if text else ""
    return f'<g transform="translate({x:.1f} {y:.1f})">{path}{title}</g>'


def _describe(lines: Sequence[Line]) -> str:
    said = [
        f"{line.figure.name}: {OURS} {ratio:.2f} times {ORIGIN}."
        for line in lines
        if (ratio := line.ratio(OURS, ORIGIN)) is not None
    ]
    return " ".join(said)
