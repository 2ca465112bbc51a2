"""Plot: how many jobs a second all sides drain and take, as SVG written by hand. Pure.

A bar for each side and figure, on one logarithmic scale for each figure.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

from durable.sides import OURS
from local.report import Line, Report
from local.table import number

_SHOWN: Final = ("drain", "submit many", "submit one by one")
_LEFT, _RIGHT, _WIDTH, _STEP, _GAP = 150, 760, 860, 22, 46
_STYLE: Final = """\
svg { font: 13px system-ui, "DejaVu Sans", sans-serif }
.paper { fill: #ffffff } text { fill: #1f2328 } .soft { fill: #59636e } .title { font-size: 16px; font-weight: 600 }
.ours { fill: #cf222e } .peer { fill: #8c959f }
@media (prefers-color-scheme: dark) {
.paper { fill: #0d1117 } text { fill: #f0f6fc } .soft { fill: #9198a1 } .ours { fill: #ff7b72 } .peer { fill: #656c76 }
}
"""


def draw(report: Report, *, shown: Sequence[str] = _SHOWN, ours: Sequence[str] = OURS) -> str:
    """Return the drawing.

    Args:
        report: What was measured.
        shown: The figures.
        ours: The sides whose bars stand out.
    """
    lines = [line for line in report.lines if line.figure.name in shown]
    height = 24 + sum(_GAP + _STEP * len(line.cells) for line in lines)
    body: list[str] = []
    top = 24
    for line in lines:
        body += _bars(line, top, ours)
        top += _GAP + _STEP * len(line.cells)
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">'
    paper = f'<rect class="paper" width="{_WIDTH}" height="{height}"/>'
    title = "<title>By side, logarithmic</title>"
    return "\n".join([opening, f"<style>{_STYLE}</style>", title, paper, *body, "</svg>"]) + "\n"


def _bars(line: Line, top: int, ours: Sequence[str]) -> Iterator[str]:
    values = {name: cell.median for name, cell in line.cells.items() if cell.median > 0}
    least, most = min(values.values()) / 2, max(values.values())
    yield f'<text class="title" x="16" y="{top}">{escape(line.figure.name)}, {line.figure.unit}</text>'
    for place, (name, value) in enumerate(sorted(values.items(), key=lambda pair: -pair[1])):
        y = top + 12 + _STEP * place
        share = math.log(value / least) / math.log(most / least)
        kind = "ours" if name in ours else "peer"
        width = round(share * (_RIGHT - _LEFT), 1)
        yield f'<text x="{_LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(name)}</text>'
        yield f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{width}" height="{_STEP - 6}" rx="2"/>'
        yield f'<text class="soft" x="{_LEFT + width + 6}" y="{y + 12}">{number(value)}</text>'
