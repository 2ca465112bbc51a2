"""Figures made up for tests of what is pure."""

from dataclasses import replace

from lightwork.tune.figures import (
    INLINE,
    ChunkSize,
    FirstCalls,
    Kind,
    Measurements,
    Pickling,
    Row,
    Run,
    Setup,
)

_STARTS = {"inline": 0.0, "threads": 0.001, "processes": 0.04}


def row(
    where: str,
    speedup: float = 1.0,
    *,
    chunksize: ChunkSize = "auto",
    item: float = 0.001,
    busy: float = 1.0,
    waited: float = 0.0,
    start: float = 0.0,
    spread: float = 0.02,
) -> Row:
    name, _, count = where.partition(":")
    kinds: dict[str, Kind] = {"inline": "inline", "threads": "threads", "processes": "processes"}
    kind = kinds[name]
    seconds = 1000 * item / speedup
    runs = tuple(
        Run(
            items=1000,
            seconds=seconds / factor,
            speedup=speedup * factor,
            cpu=busy * seconds / factor,
            waited=waited,
            start=start or _STARTS[kind],
            memory=4_000_000 if kind == "processes" else 0,
        )
        for factor in (1 - spread, 1.0, 1 + spread)
    )
    return Row(setup=Setup(kind, int(count or 1), chunksize), runs=runs)


def inline(item: float = 0.001, *, busy: float = 1.0, waited: float = 0.0) -> Row:
    found = row("inline", item=item, busy=busy, waited=waited)
    return replace(found, runs=tuple(replace(run, speedup=1.0) for run in found.runs))


def measured(
    *rows: Row,
    items: int = 100_000,
    cpus: int = 4,
    gil: float | None = 0.0,
    first: float | None = None,
    pickling: Pickling | None = None,
) -> Measurements:
    ordered = tuple(sorted(rows, key=lambda row: row.setup.order))
    found = next((row for row in ordered if row.setup == INLINE), None)
    seconds = found.seconds_per_item if found else 0.001
    return Measurements(
        function="images:shrink",
        items=items,
        cpus=cpus,
        first_calls=FirstCalls(
            first=first or seconds,
            seconds=seconds,
            cpu=found.cpu_per_item if found else seconds,
            gil=gil,
            waited=found.waited if found else 0.0,
        ),
        pickling=pickling or Pickling(argument_bytes=10, result_bytes=10, seconds=1e-7),
        rows=ordered,
        seconds=20.0,
    )
