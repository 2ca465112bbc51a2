"""Reports that nobody measured, for tests of what is made of them."""

from collections.abc import Mapping

from local.report import Cell, Failure, Figure, Line, Report

SETTINGS = {"python": "3.11.7", "cpus": 2, "children": 2}


def line(figure: Figure, medians: Mapping[str, float]) -> Line:
    return Line(figure, {side: Cell(value, value / 2, 5) for side, value in medians.items()})


RATE = Figure("submit and result", "calls/s")
TIME = Figure("round trip, median", "us", more_is_better=False)
REPORT = Report(
    settings=SETTINGS,
    sides={"lightwork": "0.1.0; defaults", "Pool": "forkserver", "joblib": "1.6 <fast>"},
    missing=["Dask"],
    lines=[
        line(RATE, {"lightwork": 90_000.0, "Pool": 30_000.0}),
        line(TIME, {"lightwork": 120.0, "Pool": 150.0, "joblib": 10_000.0}),
    ],
    failures=[Failure("round trip", "mpire", "no answer")],
    notes=["system calls: strace not installed"],
)
